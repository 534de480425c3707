# util layer
