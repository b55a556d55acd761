"""What TensorBoard shows of a file is written without TensorFlow, as all of the evaluation."""

import subprocess
import sys


def test_the_board_never_imports_tensorflow():
    code = "import sys, tfarch.evaluation.board as board; print(board.write_board.__name__, 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "write_board False\n"
