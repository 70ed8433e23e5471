"""Names that people know from other libraries, and the recipe's field for each."""

from __future__ import annotations

from collections.abc import Mapping

_BY_FIELD: Mapping[str, str] = {
    "training.learning_rate": "lr lr0 rate base_lr max_lr",
    "training.epochs": "epoch num_epochs n_epochs num_train_epochs max_epochs",
    "training.steps": "max_steps num_steps total_steps max_iters",
    "training.batch_size": "bs batch per_device_train_batch_size train_batch_size",
    "training.accumulation": "gradient_accumulation_steps accumulate_grad_batches grad_accum",
    "training.clip": "max_grad_norm gradient_clip_val grad_clip clip_grad clip_norm",
    "training.warmup": "warmup_ratio warmup_steps warmup_epochs num_warmup_steps",
    "training.schedule": "lr_scheduler_type lr_scheduler scheduler sched",
    "training.weight_decay": "wd l2",
    "training.optimizer": "optim opt",
    "training.precision": "fp16 bf16 amp mixed_precision",
    "training.ema": "model_ema ema_decay",
    "training.augment": "augmentation aug",
    "training.early_stopping": "patience early_stopping_patience",
    "training.workers": "num_workers dataloader_num_workers",
    "training.log_every": "logging_steps log_interval",
    "training.checkpoint_every": "save_steps",
    "training.keep": "save_total_limit",
    "evaluation.batch_size": "per_device_eval_batch_size eval_batch_size",
    "backbone": "model model_name model_name_or_path arch architecture network",
    "backbone.weights": "pretrained checkpoint init_from",
    "data": "dataset",
    "data.train": "train_file train_data train_path path csv",
    "data.validation": "val valid dev eval val_file validation_file eval_file",
    "data.test": "test_file",
    "data.split": "val_split validation_split test_size",
    "data.limit": "max_train_samples nrows",
    "reader.max_length": "max_seq_length max_len seq_len",
    "reader.size": "image_size img_size imgsz",
    "strategy": "freeze",
    "output": "output_dir out outdir save_dir run_dir",
    "track": "report_to logger",
    "seed": "random_state random_seed",
}
OTHER_NAMES = {name: field for field, names in _BY_FIELD.items() for name in names.split()}
"""Such a name -> the field, from the recipe's root."""
