"""The same networks in tf_keras, carrying the weights trained in PyTorch."""
