"""CompLeak Bench: does compressing a model make it leak more about its training data?

Data flows one way: models -> compressors -> observations -> attacks -> scores -> results, and
``benchmarks`` plans and drives them all.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
