import json

import pytest

from sr_jax import config as configs
from sr_jax.config import Config, DataConfig, EvalConfig, FSRCNNConfig, OptimConfig, synonyms
from sr_jax.errors import InputError

KEYS = list(configs.flat(Config()))


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("optim.learning_rate", "optim.lr"),
        ("learningRate", "optim.lr"),
        ("learning-rate", "optim.lr"),
        ("learning_rte", "optim.lr"),
        ("data.lr", "optim.lr"),
        ("batch_size", "data.batch"),
        ("bs", "data.batch"),
        ("epochs", "steps"),
        ("num_epochs", "steps"),
        ("iterations", "steps"),
        ("iters", "steps"),
        ("max_steps", "steps"),
        ("total_iter", "steps"),
        ("optim.steps", "steps"),
        ("dataset", "data.name"),
        ("data_dir", "data.dir"),
        ("data_root", "data.root"),
        ("workers", "data.threads"),
        ("num_workers", "data.threads"),
        ("patch_size", "data.patch"),
        ("crop_size", "data.patch"),
        ("upscale", "scale"),
        ("upscale_factor", "scale"),
        ("factor", "scale"),
        ("network", "model"),
        ("arch", "model"),
        ("model.type", "model.name"),
        ("optimizer", "optim.method"),
        ("optim.name", "optim.method"),
        ("betas", "optim.b1"),
        ("momentum", "optim.b1"),
        ("loss_fn", "loss"),
        ("criterion", "loss"),
        ("save_every", "checkpoint_every"),
        ("checkpoint_interval", "checkpoint_every"),
        ("eval_every", "eval.every"),
        ("val_freq", "eval.every"),
        ("ema", "optim.ema_decay"),
        ("precision", "compute"),
        ("dtype", "compute"),
        ("amp", "compute"),
        ("fp16", "compute"),
        ("bf16", "compute"),
        ("optim.seed", "seed"),
        ("modle.d", "model.d"),
        ("stesp", "steps"),
        ("device", ""),
        ("gpus", ""),
        ("output_dir", ""),
        ("n_feats", ""),  # FSRCNN has no such key
        ("model.lam_start", ""),  # a key of DeconvSR, and not like any of FSRCNN
        ("xyzzy", ""),
    ],
)
def test_what_an_unknown_key_stands_for(word, key):
    assert synonyms.find_key(word, KEYS)[0] == key


@pytest.mark.parametrize("word", ["epochs", "patch_size", "momentum", "betas", "device", "output_dir", "fp16"])
def test_where_the_meaning_differs_there_is_a_note(word):
    assert len(synonyms.find_key(word, KEYS)[1]) > 20


def test_keys_of_a_network_are_only_offered_where_it_has_them():
    assert synonyms.find_key("n_feats", list(configs.flat(Config(model=configs.NETWORKS["edsr"]))))[0] == "model.width"
    assert synonyms.find_key("num_layers", list(configs.flat(Config(model=configs.VDSRConfig()))))[0] == "model.depth"


def test_the_table_is_sound():
    """Every key exists, no word stands twice for one key or hides a key, and nothing is without an answer."""
    every = {key for network in configs.NETWORKS.values() for key in configs.flat(Config(model=network))}
    words = [(word, entry.key) for entry in synonyms.TABLE for word in entry.words.split()]
    assert all(entry.key in every | {"", "model"} for entry in synonyms.TABLE)
    assert all(entry.key or entry.note for entry in synonyms.TABLE)
    assert len(set(words)) == len(words)
    assert not {word for word, _ in words} & every - {"seed"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Config(learning_rate=1), "Config has no key 'learning_rate'; did you mean optim=OptimConfig(lr=...)?"),
        (lambda: Config(batch=8), "Config has no key 'batch'; did you mean data=DataConfig(batch=...)?"),
        (lambda: Config(network=FSRCNNConfig()), "Config has no key 'network'; did you mean 'model'?"),
        (
            lambda: Config(epochs=3),
            "Config has no key 'epochs'; did you mean 'steps'? Training is counted in steps: "
            "steps = epochs * patches in an epoch / data.batch",
        ),
        (lambda: OptimConfig(learning_rate=1), "OptimConfig has no key 'learning_rate'; did you mean 'lr'?"),
        (lambda: DataConfig(batch_size=1), "DataConfig has no key 'batch_size'; did you mean 'batch'?"),
        (lambda: DataConfig(learning_rate=1), "DataConfig has no key 'learning_rate'; did you mean optim.lr?"),
        (lambda: EvalConfig(gpus=2), "EvalConfig has no key 'gpus'; a run uses every device that JAX finds"),
        (lambda: configs.EDSRConfig(n_feats=64), "EDSRConfig has no key 'n_feats'; did you mean 'width'?"),
        (lambda: configs.SecondOrder(sigma=1), "SecondOrder has no key 'sigma'; did you mean first=Order(sigma=...)?"),
        (lambda: FSRCNNConfig(xyzzy=1), "FSRCNNConfig has no key 'xyzzy'; it has name, d, s, m"),
    ],
)
def test_unknown_keywords_in_config_files(make, message):
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value).startswith(message)


def test_unknown_keys_in_json():
    with pytest.raises(InputError, match=r"OptimConfig has no key 'optim\.learning_rate'; did you mean 'lr'\?"):
        configs.from_json(json.dumps({"optim": {"learning_rate": 1}}))
