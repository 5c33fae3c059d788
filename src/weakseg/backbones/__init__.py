"""Feature pyramids under every network: timm's, WideResNet-38 and VGG16, their weights, freezing."""
