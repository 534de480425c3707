# client layer
