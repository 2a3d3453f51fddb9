"""One module per vendor behind the interface of `base`; settings.PROVIDERS names them."""
