"""Training throughput: our Trainer against a PyTorch loop with the same network, batch size and texts.

What it compares, in examples per second on the training rows of a data set, batch 32, AdamW, clipping, dropout 0.1:

- `tfarch`: `Trainer` with the defaults of `run` (length buckets, token table frozen where the defaults say so, bfloat16 where the processor has it);
- `pytorch_usual`: random batches padded to their longest text, float32, everything trained: what most fine-tuning scripts do;
- `pytorch_bucketed`: batches of texts of like length (our own plan of batches), float32;
- `pytorch_bucketed_frozen`: the same with the token table frozen, as ours is;
- `pytorch_bucketed_bfloat16`, `pytorch_bucketed_bfloat16_frozen`: these two under autocast, where the processor has bfloat16.

PyTorch takes its fused AdamW and `scaled_dot_product_attention`, and all threads. The best of its ways stands for its best.

How: a process each, which must first give our labels to the same texts; after a warm-up, in which the graph is traced, they work in turn, 40 updates
a round. The figure is the median over rounds; ratios are made round by round.

What it costs: about 6 minutes on 2 cores. What it last gave: RESULTS.md, "Training throughput".

    make bench-env
    .venv/bin/python -m benchmarks.training_throughput --run saved_models/banking77
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.workers import Worker, median, require_one_network, serve, table

FLOAT32 = ("pytorch_usual", "pytorch_bucketed", "pytorch_bucketed_frozen")
BFLOAT16 = ("pytorch_bucketed_bfloat16", "pytorch_bucketed_bfloat16_frozen")
BATCH, WARMUP, ROUNDS, UPDATES = 32, 60, 7, 40
CHECKED, LEAST_EQUAL = 256, 0.99  # texts whose labels are compared, and the share that must be equal


def main() -> int:
    options = _options()
    if options.serve:
        return _serve(options.run)
    from tfarch.evaluation.machine import describe, has_fast_bfloat16

    ways = FLOAT32 + BFLOAT16 if has_fast_bfloat16() else FLOAT32
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.npz"
        _write_plan(options.run, plan)
        workers = {"tfarch": Worker("training_throughput", "--serve", "--run", str(options.run))}
        shared = ["--run", str(options.run), "--plan", str(plan), "--serve"]
        workers |= {way: Worker("training_throughput_peers", *shared, way, peer=True) for way in ways}
        require_one_network({name: worker.ask(updates=0) for name, worker in workers.items()}, "tfarch", lambda name: LEAST_EQUAL)
        for worker in workers.values():
            worker.ask(updates=WARMUP)
        rounds = []
        for _ in range(ROUNDS):
            rounds.append({name: worker.ask(updates=UPDATES) for name, worker in workers.items()})
            print(", ".join(f"{name} {value:.0f}" for name, value in rounds[-1].items()), file=sys.stderr)
        for worker in workers.values():
            worker.close()
    speeds = {name: median([each[name] for each in rounds]) for name in workers}
    best = max(ways, key=speeds.get)
    ratios = {name: median([each["tfarch"] / each[name] for each in rounds]) for name in ways}
    rows = [[name, f"{speed:.0f}", f"{ratios[name]:.2f}" if name in ratios else ""] for name, speed in speeds.items()]
    print(table(["", "examples a second", "tfarch over it"], rows))
    print(json.dumps({"machine": describe(), "examples_per_second": speeds, "ratios": ratios, "best_of_pytorch": best}))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a run: its data, settings and weights are taken")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _prepared(run: Path):
    from tfarch.config import Config
    from tfarch.pipeline.prepare import prepare

    config = Config().with_file(run / "config.yaml")
    return config, prepare(config, run / "cache")[""]


def _write_plan(run: Path, file: Path) -> None:
    """The training rows' ids and targets, and our plan of batches, for the peers."""
    from tfarch.data.batches import plan_epoch

    config, prepared = _prepared(run)
    tokens = prepared.train.tokens
    batches = [batch for update in plan_epoch(tokens.lengths, BATCH, seed=config.seed, epoch=0) for batch in update]
    np.savez(
        file,
        ids=tokens.ids,
        offsets=tokens.offsets,
        targets=prepared.train.targets,
        rows=np.concatenate([batch.rows for batch in batches]),
        sizes=[len(batch.rows) for batch in batches],
        lengths=[batch.length for batch in batches],
    )


class _EnoughError(Exception):
    """No more rounds are asked for."""


def _serve(run: Path) -> int:
    """Trains with the real loop, which a callback holds still between rounds."""
    import dataclasses
    import queue
    import threading

    from tfarch.quiet import start_tensorflow

    start_tensorflow()
    from tfarch.data.batches import Examples
    from tfarch.models.classifier import build_classifier
    from tfarch.models.weights import set_weights
    from tfarch.pipeline.trained import TrainedModel
    from tfarch.run_folder import RunFolder
    from tfarch.training import Callback, Trainer, classification_objective, resolve_freeze
    from tfarch.training.inference import Forward

    config, prepared = _prepared(run)
    trained = TrainedModel.load(RunFolder(run)).only
    settings = dataclasses.replace(config.train, batch_size=BATCH, epochs=1000, learning_rate=1e-4, checkpoint_every=0, monitor="last")
    settings = resolve_freeze(settings, len(prepared.train.texts), pretrained=True)
    asked, answered = queue.Queue(), queue.Queue()

    class Rounds(Callback):
        left, examples = 0, 0

        def before_update(self, step):
            if not self.left:
                self.left = asked.get()
                if not self.left:
                    raise _EnoughError
                self.done, self.started = 0, time.perf_counter()

        def after_update(self, step, values):
            self.left -= 1
            self.done += BATCH  # the one smaller batch of an epoch is counted as whole, for the peers too
            if not self.left:
                answered.put(self.done / (time.perf_counter() - self.started))

    def build():
        model = build_classifier(prepared.start.spec, len(prepared.labels), dropout=config.model.dropout, seed=config.seed)
        set_weights(model, trained.stages[0].weights)
        return model

    def work():
        train = prepared.train
        examples = Examples(train.tokens, train.targets, np.ones(len(train.targets), np.float32))
        trainer = Trainer(settings, seed=config.seed, callbacks=[Rounds()])
        with contextlib.suppress(_EnoughError):
            trainer.fit(build, classification_objective(settings), examples, lambda model: {})

    logits = Forward(build())(prepared.train.tokens.select(np.arange(CHECKED)))
    thread = threading.Thread(target=work)
    thread.start()

    def answer(updates: int) -> float | list[int]:
        if not updates:
            return logits.argmax(axis=1).tolist()
        asked.put(updates)
        while True:
            try:
                return answered.get(timeout=5)
            except queue.Empty:
                if not thread.is_alive():
                    sys.exit(1)

    serve(answer)
    asked.put(0)
    thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
