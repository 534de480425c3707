# broker layer
