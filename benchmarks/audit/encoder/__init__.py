"""``compleak audit-encoder``: what a pre-trained encoder gives away about the images that it was trained on."""
