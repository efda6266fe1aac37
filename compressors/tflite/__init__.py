"""TF-Lite, through tensorflow-model-optimization and the TFLite converter."""
