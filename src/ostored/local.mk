# ostored layer
