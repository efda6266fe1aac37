"""The adapters: a trained model and a setting go in, a real mobile artifact and its interpreter come out."""
