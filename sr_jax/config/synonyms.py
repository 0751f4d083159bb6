"""What other training code calls the keys of a config, so that an unknown key is answered with the right one."""

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Synonyms(NamedTuple):
    """Names that mean one key."""

    key: str
    """The key here, or nothing if there is no such key."""
    words: str
    """What other code calls it, separated by spaces. A word with a dot must match the whole unknown key."""
    note: str = ""
    """What differs, or what to do where there is no such key."""


TABLE = (
    Synonyms("scale", "upscale upscale_factor upscaling upscaling_factor factor scale_factor sf sr_factor magnification zoom"),
    Synonyms(
        "steps",
        "iterations iters iter n_iter niter num_iter num_iters num_iterations max_iter max_iters max_iterations total_iter "
        "total_iters total_iterations total_steps max_steps num_steps n_steps train_steps training_steps num_train_steps",
    ),
    Synonyms(
        "steps",
        "epoch epochs n_epoch n_epochs num_epoch num_epochs max_epoch max_epochs total_epoch total_epochs num_train_epochs",
        "training is counted in steps: steps = epochs * patches in an epoch / data.batch",
    ),
    Synonyms("seed", "seed random_seed rng_seed manual_seed random_state"),
    Synonyms("model", "network net arch architecture backbone generator net_g network_g"),
    Synonyms("model.name", "model_name net_name network_name arch_name model_type which_model model.type model.arch"),
    Synonyms(
        "model.width", "n_feats num_feat num_feats nf n_features feature_channels hidden_channels dim filters num_filters"
    ),
    Synonyms("model.blocks", "n_resblocks num_blocks n_blocks num_block nb num_resblocks res_blocks num_layers"),
    Synonyms("model.depth", "num_layers n_layers layers num_convs"),
    Synonyms("model.channels", "in_channels num_channels num_in_ch in_nc n_colors colors out_channels num_out_ch"),
    Synonyms("loss", "loss_fn loss_func loss_function loss_type loss_name criterion objective pixel_loss pixel_opt"),
    Synonyms(
        "compute",
        "precision mixed_precision dtype compute_dtype amp use_amp autocast fp16 bf16 half half_precision bfloat16 param_dtype",
        "it is float32 or bfloat16, and concerns the network in training only",
    ),
    Synonyms(
        "",
        "device devices gpu gpus gpu_id gpu_ids num_gpu num_gpus n_gpu n_gpus ngpu cuda accelerator num_devices world_size",
        "a run uses every device that JAX finds; the environment variable CUDA_VISIBLE_DEVICES or JAX_PLATFORMS restricts them",
    ),
    Synonyms("parallel", "strategy distributed data_parallel ddp sharding"),
    Synonyms("data.name", "dataset datasets dataset_name train_set trainset training_set train_dataset data_train data.type"),
    Synonyms(
        "data.dir",
        "data_dir data_path dataset_dir dataset_path dataroot_gt dataroot_hr train_dir train_path train_data image_dir images "
        "hr_dir data.path",
        "it needs data.name=folder; the folder that holds named sets such as Set5 is data.root",
    ),
    Synonyms("data.root", "root data_root dataroot dataset_root datasets_dir"),
    Synonyms("data.batch", "batch batch_size batchsize bs train_batch_size global_batch_size mini_batch_size minibatch"),
    Synonyms(
        "data.batch",
        "batch_size_per_gpu samples_per_gpu per_device_batch_size per_device_train_batch_size",
        "it counts the patches on all devices together",
    ),
    Synonyms("data.patch", "patch crop crop_size gt_size hr_size hr_patch_size gt_patch_size image_size img_size input_size"),
    Synonyms(
        "data.patch",
        "patch_size lr_patch_size lq_size lr_size lq_patch_size",
        "it is the side of the HR patch, which is scale times that of the LR patch",
    ),
    Synonyms("data.degradation", "degrade degradation_type degradation_model downsample downsampling kernel_type blur noise"),
    Synonyms("data.threads", "workers num_workers n_workers n_threads num_threads num_worker_per_gpu loader_workers"),
    Synonyms("data.prefetch", "prefetch_factor prefetch_size num_prefetch num_prefetch_queue buffer_size"),
    Synonyms("optim.method", "optimizer optimiser optim_type optimizer_name solver optim.name optim.type optim.optimizer"),
    Synonyms("optim.lr", "lr learning_rate lrate base_lr init_lr lr_init initial_lr initial_learning_rate max_lr peak_lr lr_g"),
    Synonyms("optim.warmup_steps", "warmup warmup_iter warmup_iters num_warmup_steps warm_up"),
    Synonyms("optim.schedule", "scheduler lr_schedule lr_scheduler lr_policy lr_decay_type scheme"),
    Synonyms("optim.final_lr", "min_lr lr_min end_lr lr_end eta_min end_learning_rate"),
    Synonyms("optim.drop_every", "step_size lr_step lr_steps lr_step_size lr_decay_steps decay_steps lr_decay_every"),
    Synonyms("optim.drop_every", "milestones lr_milestones periods", "the learning rate drops at equal intervals"),
    Synonyms("optim.drop_to", "gamma lr_gamma lr_decay lr_decay_rate decay_rate lr_decay_factor"),
    Synonyms("optim.b1", "beta1 beta_1 adam_b1 adam_beta1"),
    Synonyms("optim.b1", "momentum sgd_momentum", "with optim.method=sgd it is the momentum"),
    Synonyms("optim.b2", "beta2 beta_2 adam_b2 adam_beta2"),
    Synonyms("optim.b1", "betas adam_betas", "the second of the two is optim.b2"),
    Synonyms("optim.weight_decay", "wd l2 l2_penalty weight_penalty regularization weight_reg"),
    Synonyms("optim.clip_norm", "clip grad_clip gradient_clip clip_grad clip_grad_norm grad_clip_norm max_grad_norm max_norm"),
    Synonyms("optim.clip_norm", "gradient_clip_val gradient_clipping gclip clip_gradient use_grad_clip"),
    Synonyms("optim.ema_decay", "ema ema_rate ema_momentum use_ema moving_average averaging ema_beta polyak"),
    Synonyms(
        "eval.sets", "val_set val_sets test_set test_sets eval_set eval_sets val_dataset test_dataset data_test benchmarks"
    ),
    Synonyms("eval.every", "eval_every eval_freq eval_interval eval_steps val_every val_freq val_interval validate_every"),
    Synonyms("eval.every", "validation_freq validation_interval test_every test_freq val_check_interval"),
    Synonyms("log_every", "log_interval log_freq log_steps print_every print_freq print_interval logging_steps report_every"),
    Synonyms(
        "checkpoint_every",
        "save_every save_freq save_interval save_steps ckpt_every ckpt_interval checkpoint_interval checkpoint_freq "
        "save_checkpoint_freq snapshot_every",
    ),
    Synonyms("keep", "max_to_keep keep_checkpoints save_total_limit num_checkpoints keep_last"),
    Synonyms("on_nan", "nan skip_nan skip_nonfinite terminate_on_nan apply_if_finite"),
    Synonyms("accumulate", "accumulation accumulation_steps gradient_accumulation gradient_accumulation_steps accum_steps"),
    Synonyms("steps_per_dispatch", "steps_per_call steps_per_loop inner_steps scan_steps"),
    Synonyms(
        "",
        "workdir work_dir output output_dir out_dir save_dir save_path log_dir logdir exp_dir exp_name experiment run_name",
        "the work directory is given on the command line, by --workdir DIR",
    ),
    Synonyms("", "resume resume_from resume_state auto_resume", "the same command in the same work directory resumes its run"),
)


def find_key(word: str, keys: Sequence[str]) -> tuple[str, str]:
    """Returns the key that an unknown one most likely stands for, and a note about it; either may be empty.

    Args:
      word: the unknown key. Groups before it, with dots, count only where they help.
      keys: the keys that there are, with dots. The answer may be another key of a config if it is a synonym.
    """
    last = _last(word)
    if whole := [entry for entry in TABLE if "." in word and word in entry.words.split()]:
        return _answer(whole, keys)
    if same := [key for key in keys if _last(key) == last]:
        return difflib.get_close_matches(word, same, n=1, cutoff=0)[0], ""
    folded = _fold(last)
    if entries := [entry for entry in TABLE if folded in map(_fold, entry.words.split())]:
        answer = _answer(entries, keys)
        if any(answer):
            return answer
    return _most_similar(word, keys)


def _answer(entries: Iterable[Synonyms], keys: Sequence[str]) -> tuple[str, str]:
    """The key and the note of the first entry that applies. Every config has all keys except those of other networks."""
    for key, _, note in entries:
        present = key if key in keys else next((known for known in keys if key and _last(known) == _last(key)), "")
        if present or not key.startswith("model."):
            return present or key, note
    return "", ""


def _most_similar(word: str, keys: Sequence[str]) -> tuple[str, str]:
    """The key that an unknown one is a misspelling of: of the whole key, of a synonym, or of the part after the last dot."""
    if whole := difflib.get_close_matches(word, keys, n=1, cutoff=0.8):
        return whole[0], ""
    synonyms = {_fold(synonym): entry for entry in TABLE for synonym in entry.words.split()}
    for synonym in difflib.get_close_matches(_fold(_last(word)), synonyms, n=1, cutoff=0.85):
        return _answer([synonyms[synonym]], keys)
    group = word.rpartition(".")[0]
    siblings = [key for key in keys if group and key.rpartition(".")[0] == group]
    lasts = {_last(key): key for key in siblings or keys}
    similar = difflib.get_close_matches(_last(word), lasts, n=1, cutoff=0.5)
    return (lasts[similar[0]] if similar else ""), ""


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _fold(word: str) -> str:
    """A word as it is compared: batch_size, batch-size and batchSize are the same."""
    return word.lower().replace("_", "").replace("-", "")
