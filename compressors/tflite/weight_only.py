"""Weight-only quantization of a float .tflite file, with ai-edge-quantizer; the TFLite converter has none."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from ..quiet import quiet


def quantize_weights(content: bytes, bits: int) -> bytes:
    """Store weights as integers with a scale for each output channel (for embeddings: each token); nothing else.

    Convolution and dense kernels are widened to float32 before they are used; a row of an embedding table, when it is
    looked up. Activations and biases are float32, and a depthwise convolution's kernel stays so in 4 bits, for which
    the quantizer has no rule.

    Args:
        content: of a float32 file.
        bits: 8 or 4.

    Returns:
        The new file's content.
    """
    from ai_edge_quantizer import quantizer, recipe_manager
    from ai_edge_quantizer.qtyping import TFLOperationName as Op

    recipe = recipe_manager.RecipeManager()
    for op in (Op.CONV_2D, Op.FULLY_CONNECTED, *([Op.DEPTHWISE_CONV_2D] if bits == 8 else [])):
        recipe.add_weight_only_config(regex=".*", operation_name=op, num_bits=bits)
    # A table as a whole is not widened: this operator does so for the rows that it reads, and rounds nothing else.
    recipe.add_dynamic_config(regex=".*", operation_name=Op.EMBEDDING_LOOKUP, num_bits=bits)
    with quiet(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # It prints a table, and its progress.
        float_file = bytearray(_with_lookups(content))
        result = quantizer.Quantizer(float_file, recipe.get_quantization_recipe()).quantize()
    return bytes(result.quantized_model)


def _with_lookups(content: bytes) -> bytes:
    """The same model, its embeddings as EMBEDDING_LOOKUP: the quantizer leaves the converter's GATHER alone."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    lookup = schema.OperatorCodeT()
    lookup.builtinCode = lookup.deprecatedBuiltinCode = schema.BuiltinOperator.EMBEDDING_LOOKUP
    lookup.version = 1
    model.operatorCodes.append(lookup)
    for op in graph.operators:
        if model.operatorCodes[op.opcodeIndex].builtinCode != schema.BuiltinOperator.GATHER:
            continue
        table, ids = (graph.tensors[i] for i in op.inputs)
        constant = model.buffers[table.buffer].data is not None
        if constant and table.type == schema.TensorType.FLOAT32 and len(table.shape) == 2 and len(ids.shape) == 1:
            op.opcodeIndex = len(model.operatorCodes) - 1
            op.inputs = op.inputs[::-1]
            op.builtinOptionsType, op.builtinOptions = schema.BuiltinOptions.NONE, None
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
