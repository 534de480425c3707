# memory layer
