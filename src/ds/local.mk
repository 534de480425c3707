# ds layer
