"""What moves the ranker to the user: a split model, bundles for a device, local answers, exports and the browser."""
