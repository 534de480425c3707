# wire layer
