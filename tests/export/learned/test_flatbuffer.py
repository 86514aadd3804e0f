"""What the flatbuffer holds: two operators, constants that can be read in place, tables of the runtime's own tanh."""

import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from qcskit.export.learned.flatbuffer import activation_points


def test_tanh_table_is_close_to_tanh_and_ascends() -> None:
    for scale in (0.01, 3 / 127, 0.1):
        table = activation_points("tanh", float(np.float32(scale)))
        ideal = np.clip(np.rint(128 * np.tanh(np.arange(-128, 128) * scale)), -128, 127)
        assert np.abs(table - ideal).max() <= 1
        assert np.all(np.diff(table.astype(int)) >= 0)


def test_the_flatbuffer_holds_only_fully_connected_and_tanh_and_aligned_constants(bundle_path) -> None:
    content = (bundle_path / "encoder.tflite").read_bytes()
    model = schema.Model.GetRootAsModel(content, 0)
    codes = {model.OperatorCodes(i).BuiltinCode() for i in range(model.OperatorCodesLength())}
    assert codes == {schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.TANH}
    for i in range(model.BuffersLength()):
        data = model.Buffers(i).DataAsNumpy()
        if not isinstance(data, int):
            assert (data.__array_interface__["data"][0] - np.frombuffer(content, np.uint8).ctypes.data) % 16 == 0
