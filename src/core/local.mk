# core layer
