"""What is attacked: data pools, membership, networks, training, and the networks' Keras twins."""
