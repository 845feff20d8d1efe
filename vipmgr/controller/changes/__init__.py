"""What differs between cluster and desire, as values: no I/O here, `controller.publish` carries them out."""
