"""Training, top to bottom: surrogate-gradient back-propagation through time.

Devices, processes and precision are Lightning Fabric's. The model is chosen on the validation
split and reported on the test split. The run's folder holds

    config.toml    the settings, resolved        best.ckpt      the best model so far
    metrics.json   when training has ended       last.ckpt      where `resume` goes on
    logs/          csv and tensorboard

Whatever happens in an epoch follows from (seed, epoch, process): the generators are seeded anew
at its start. So a run that goes on from last.ckpt ends with the same bits as one that never
stopped, and an interrupted epoch is simply done again.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ..core.settings import TrainConfig
from . import checkpoint, data, points, sound
from .checkpoint import Metrics, Trained
from .compiled import compiled, compiling, plain
from .data.dataset import check_classes
from .evaluate import as_tensor, correct
from .finetune import check_fit, started
from .folder import check_same, claim, room, write_text
from .graph import Start
from .losses import total
from .machine import seed_all, settled
from .monitor import Tell, progress
from .norms import data_dependent_start
from .optimiser import learning_rate, optimiser
from .processes import among_others, check_precision, processes, together
from .regularisers import listening, regularised
from .segments import segmented
from .spike_bytes import spike_bytes
from .spiking import heard_in_time
from .stages import Phase, phase_at, phases


def fit(
    config: TrainConfig,
    out: Path,
    resume: bool = False,
    dataset: data.DataSet | None = None,
    start: Callable[[], Start] | None = None,
) -> Trained:
    """Train a model as the settings say, into the folder `out`.

    resume: go on from out/last.ckpt, if there is one. dataset: instead of the one config.data
    names. start: gives the graph that config.finetune goes on from; a run that is resumed has
    its own. ConfigError if the folder holds a run and resume is not asked for, or holds one with
    other settings; TrainingError if the loss is not a number or a disk is full; DataError from the
    data.
    """
    with settled(config.run), room(Path(out)), among_others(Path(out)), compiling(config.run):
        run = Run.begin(config, Path(out), resume, dataset, start)
        batches = len(run.order(0))
        try:
            with progress(run.epochs * batches, run.leads and config.run.progress) as tell:
                while run.epoch < run.epochs:
                    run.train(tell)
                    run.validate()
                    run.keep()
            return run.end()
        finally:
            for logger in run.fabric.loggers:
                logger.finalize("ended")


@dataclass
class Run:
    """One run in progress, in one of its processes."""

    config: TrainConfig
    out: Path
    fabric: Fabric
    dataset: data.DataSet
    net: nn.Module  # the model itself
    model: nn.Module  # the model as Fabric runs it
    optimiser: Any  # likewise
    epoch: int = 0  # epochs done
    seconds: float = 0.0  # spent in them
    loss: float = float("nan")  # mean of the last epoch
    accuracy: float = 0.0  # on validation, after the last epoch
    best: Metrics = field(default_factory=dict)  # of the best epoch so far
    start: Start | None = None  # of fine-tuning

    @classmethod
    def begin(
        cls,
        config: TrainConfig,
        out: Path,
        resume: bool,
        dataset: data.DataSet | None,
        start: Callable[[], Start] | None,
    ) -> "Run":
        """Everything in place, weights fresh or from last.ckpt."""
        fabric = processes(config, out)
        if dataset is None:
            dataset = data.named(config.data)
        dataset = data.encoded(dataset, config.data.encoder, config.seed)
        check_classes(dataset)
        go_on = resume and (out / "last.ckpt").exists()
        last = checkpoint.load(out / "last.ckpt") if go_on else None
        if last is not None:
            check_same(out, last.config, config)
        begun = started(config, last, start)
        seed_all(config.seed)
        net = checkpoint.fresh(config, dataset.shape, dataset.classes, begun)
        check_fit(net, fabric.device.type, dataset, config)
        check_precision(fabric, config)
        heard_in_time(net, min(phase.steps for phase in phases(config)))
        if config.run.channels_last:
            net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        together(fabric, lambda: claim(config, out, resume))
        if config.train.data_start and last is None:
            x, _ = dataset.take(dataset.order("train", config.train.batch)[0], config.data.steps)
            data_dependent_start(net, as_tensor(x))
        kept = spike_bytes(segmented(net, config), config)
        made = compiled(net, kept, config, fabric.device.type)
        model, steps = fabric.setup(made, optimiser(net, config.train))
        run = cls(config, out, fabric, dataset, net, model, steps, start=begun)
        if last is not None:
            points.restore(run, last)
        return run

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """The stages of the run."""
        return phases(self.config)

    @property
    def epochs(self) -> int:
        """Of all stages."""
        return self.phases[-1].end

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files."""
        return bool(self.fabric.is_global_zero)

    @property
    def share(self) -> tuple[int, int]:
        """(this process, all processes)."""
        return self.fabric.global_rank, self.fabric.world_size

    def order(self, epoch: int) -> list[Any]:
        """The training batches of an epoch, this process's part of each."""
        return self.dataset.order(
            "train",
            self.config.train.batch,
            shuffle=(self.config.seed, epoch),
            share=self.share,
            drop_last=True,
        )

    def train(self, tell: Tell) -> None:
        """One epoch."""
        config, start = self.config.train, time.monotonic()
        phase = phase_at(self.phases, self.epoch)
        if self.epoch == phase.first and phase.begins_schedule:
            self.optimiser.optimizer.state.clear()  # Fabric's wrapper has a copy of its own
        seed_all(self.config.seed, self.epoch, self.fabric.global_rank)
        batches, losses = self.order(self.epoch), 0.0
        samples = self.dataset.drawn(self.epoch + 1)
        self.model.train()
        for number, (x, y) in enumerate(samples.stream(batches, phase.steps)):
            at = self.epoch - phase.origin + number / len(batches)
            rate = learning_rate(phase.schedule, at, len(batches))
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            labels = torch.from_numpy(y).to(self.fabric.device)
            with listening(self.net, config.regularisers) as heard:
                outputs = self.model(as_tensor(x, self.fabric.device))
            loss = self.minimised(outputs, labels, heard, phase.loss)
            where = f"epoch {self.epoch + 1}, step {number + 1} of {len(batches)}"
            losses += (value := self.checked(loss, where))
            self.optimiser.zero_grad()
            self.fabric.backward(loss)
            if config.clip:
                self.clip(where)
            self.optimiser.step()
            step = self.epoch * len(batches) + number + 1
            if step % self.config.run.log_every == 0:
                self.fabric.log_dict({"loss": value, "lr": rate, "epoch": self.epoch}, step)
            tell(step, self.said(value))
        self.epoch += 1
        self.loss = losses / len(batches)
        self.seconds += time.monotonic() - start

    def minimised(
        self, outputs: Tensor, labels: Tensor, heard: list[Tensor], loss_name: str
    ) -> Tensor:
        """The loss with what is added to it."""
        train = self.config.train
        how = loss_name, train.mse_weight, train.mse_target, train.targets
        loss = total(outputs, labels, *how)
        added = regularised(self.net, train.regularisers, heard)
        return loss if added is None else loss + added

    def said(self, loss: float) -> str:
        """What the bar says."""
        best = self.best.get("validation_accuracy")
        found = f", validation {best:.2%}" if isinstance(best, float) else ""
        return f"epoch {self.epoch + 1}/{self.epochs}, loss {loss:.3f}{found}"

    def checked(self, loss: Tensor, where: str) -> float:
        """The loss as a number, the same in every process; TrainingError if it is none."""
        value = self.over_processes(loss, "mean")
        sound.check_loss(value, where, self.out, self.config.train)
        return value

    def clip(self, where: str) -> None:
        """Gradients no longer than train.clip; TrainingError if they overflow."""
        train = self.config.train
        length = self.fabric.clip_gradients(
            self.model, self.optimiser, max_norm=train.clip, error_if_nonfinite=False
        )
        sound.check_gradient(length, where, self.out, train)

    def validate(self) -> None:
        """Accuracy on the validation split, of the same weights and moments in all processes."""
        start = time.monotonic()
        if self.fabric.world_size > 1:
            for moments in self.net.buffers():
                moments.copy_(self.fabric.broadcast(moments))
        steps = phase_at(self.phases, self.epoch - 1).steps
        self.accuracy = self.accuracy_on("validation", steps)
        self.seconds += time.monotonic() - start
        found = {"train_loss": self.loss, "validation_accuracy": self.accuracy}
        self.fabric.log_dict(found, self.epoch * len(self.order(0)))
        together(self.fabric, self.save_logs)

    def save_logs(self) -> None:
        """What has been logged so far."""
        for logger in self.fabric.loggers:
            logger.save()

    def accuracy_on(self, split: str, steps: int) -> float:
        """Share of a split that is right, counted over all processes."""
        with self.fabric.autocast():
            right = correct(
                self.net,
                self.dataset,
                split,
                steps,
                batch=self.config.run.eval_batch,
                share=self.share,
            )
        everywhere = self.over_processes(torch.tensor(right, device=self.fabric.device), "sum")
        return everywhere / len(self.dataset.indices(split))

    def over_processes(self, value: Tensor, how: str) -> float:
        """The sum or mean of a number over all processes, the same in each."""
        reduced = self.fabric.all_reduce(value.detach(), reduce_op=how)
        assert isinstance(reduced, Tensor)
        return float(reduced)

    def keep(self) -> None:
        """Write best.ckpt if this epoch is the best of the last stage so far, then last.ckpt.

        Earlier stages may have other steps; what is deployed has those of the last."""
        sound.check_weights(self.net, self.epoch, self.out, self.config.train)
        counts = self.epoch > self.phases[-1].first
        better = not self.best or self.accuracy > float(self.best["validation_accuracy"])
        better = counts and better
        if better:
            self.best = {"epoch": self.epoch, "validation_accuracy": self.accuracy}
        together(self.fabric, lambda: self.write(better))

    def write(self, better: bool) -> None:
        """The checkpoints of this epoch."""
        if better:
            checkpoint.save(self.out / "best.ckpt", self.trained(self.best))
        checkpoint.save(self.out / "last.ckpt", replace(self.trained({}), state=points.state(self)))

    def trained(self, metrics: Metrics) -> Trained:
        """The model as it is now."""
        size = self.dataset.shape, self.dataset.classes
        heard = self.dataset.content
        return Trained(self.net, self.config, metrics, *size, start=self.start, content=heard)

    def end(self) -> Trained:
        """The best model, reported on the test split."""
        steps = self.config.data.steps
        at_last = self.accuracy_on("test", steps)
        best = checkpoint.load(self.out / "best.ckpt")
        self.net.load_state_dict(best.model.state_dict())
        metrics: Metrics = {
            **self.best,
            "test_accuracy": self.accuracy_on("test", steps),
            "last_test_accuracy": at_last,  # of the last epoch, whatever validation says
            **points.facts(self),
        }
        trained = replace(self.trained(metrics), model=plain(self.net).cpu().eval())

        def write() -> None:
            checkpoint.save(self.out / "best.ckpt", trained)
            write_text(self.out / "metrics.json", json.dumps(metrics, indent=2) + "\n")

        together(self.fabric, write)
        return trained
