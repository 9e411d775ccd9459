"""Files and folders of weights, in every layout, give the same CLIP; what is none says why in one line."""

import json
import shutil
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import save_file

import stan
from stan.models import clip_names
from stan.models.backbones import from_config, load_clip
from stan.models.convert import load_released
from stan.models.local_folder import tell
from stan.models.open_clip_weights import load_into
from tests.support import towers

from open_clip.model import CLIP, CLIPTextCfg, CustomTextCLIP  # isort: skip

PLAIN = towers.config_of("class token") | {"quick_gelu": True}
FAMILIES = ["class token", "mean", "EVA02", "SigLIP", "Perception Encoder", "FastViT", "ConvNeXt", "Swin"]
SIGLIP_TEXT = {"no_causal_mask": True, "proj_bias": True, "pool_type": "last", "mlp_ratio": 2.0}


class Archived(torch.nn.Module):
    """Tensors under dotted names, as a module that TorchScript can write."""

    def __init__(self, state: dict[str, torch.Tensor]):
        super().__init__()
        for name, tensor in state.items():
            *parents, last = name.split(".")
            place = self
            for parent in parents:
                if not hasattr(place, parent):
                    place.add_module(parent, torch.nn.Module())
                place = getattr(place, parent)
            place.register_buffer(last, tensor)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def archive(state: dict[str, torch.Tensor], path) -> None:
    """Write tensors as OpenAI's archives hold them: in half precision, beside three sizes."""
    sizes = {"input_resolution": 16, "context_length": 12, "vocab_size": 49408}
    halves = {name: tensor.half() for name, tensor in state.items()}
    whole = Archived(halves | {name: torch.tensor(size) for name, size in sizes.items()})
    torch.jit.trace(whole, torch.zeros(1), check_trace=False).save(str(path))


def images(size: int = 16) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def assert_same(ours, theirs, size: int = 16, tolerance: float = 1e-5) -> None:
    ids = torch.randint(1, 400, (2, 12), generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(
        ours.encode_image(images(size)), theirs.encode_image(images(size)), atol=tolerance, rtol=0
    )
    torch.testing.assert_close(ours.encode_text(ids).text, theirs.encode_text(ids), atol=tolerance, rtol=0)


@pytest.fixture
def plain() -> CLIP:
    torch.manual_seed(0)
    return CLIP(**PLAIN).eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_an_open_clip_folder_of_every_family(family, tmp_path, monkeypatch):
    theirs = towers.theirs(monkeypatch, family)
    config = towers.config_of(family)
    said = {
        "mean": [0.1, 0.2, 0.3],
        "std": [0.4, 0.5, 0.6],
        "interpolation": "bilinear",
        "resize_mode": "squash",
    }
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": said}))
    save_file(theirs.state_dict(), tmp_path / "open_clip_model.safetensors")
    model = stan.load_model(f"clip:{tmp_path}")
    assert_same(model.clip, theirs, model.clip.image_size)
    assert model.clip.pixels.mean == (0.1, 0.2, 0.3) and model.clip.pixels.resize_mode == "squash"
    assert model.frames == 12 and not model.temporal.own_blocks
    (tmp_path / "open_clip_model.safetensors").unlink()
    torch.save(theirs.state_dict(), tmp_path / "open_clip_pytorch_model.bin")
    assert_same(load_clip(str(tmp_path)).eval(), theirs, model.clip.image_size)


@pytest.mark.parametrize("written", ["pt", "state_dict", "safetensors", "archive"])
def test_files_of_open_clip_and_openai(written, plain, tmp_path):
    path = tmp_path / ("weights.safetensors" if written == "safetensors" else "weights.pt")
    state = plain.state_dict()
    if written == "safetensors":
        save_file(state, path)
    elif written == "archive":
        archive(state, path)
    else:
        torch.save({"state_dict": state, "epoch": 3} if written == "state_dict" else state, path)
    ours = from_config(PLAIN, weights=path).eval()
    assert_same(ours, plain, tolerance=5e-3 if written == "archive" else 1e-6)
    if written == "archive":
        torch.testing.assert_close(ours.visual.proj, plain.visual.proj.half().float(), atol=0, rtol=0)


def test_positions_are_resized_to_the_architectures(plain, tmp_path):
    torch.save(plain.state_dict(), tmp_path / "small.pt")
    wider = PLAIN | {"vision_cfg": PLAIN["vision_cfg"] | {"image_size": 32}}
    ours = from_config(wider, weights=tmp_path / "small.pt")
    assert ours.grid == (4, 4)
    torch.testing.assert_close(ours.visual.cls_start[1], plain.visual.positional_embedding[0], atol=0, rtol=0)


@pytest.mark.parametrize("written", ["pt", "state_dict", "safetensors", "two tables"])
@torch.no_grad()
def test_texts_are_as_long_as_the_file_says(written, tmp_path, monkeypatch):
    """Long-CLIP's two tables: the first twenty positions are from the first, the others from the second."""
    longer = PLAIN | {"text_cfg": PLAIN["text_cfg"] | {"context_length": 30}}
    torch.manual_seed(0)
    theirs = CLIP(**longer).eval()
    state, path = theirs.state_dict(), tmp_path / "weights.pt"
    if written == "two tables":
        first, second = torch.randn(2, 30, 16)
        torch.save(state | {"positional_embedding": first, "positional_embedding_res": second}, path)
        from_first = (torch.arange(30) < 20)[:, None]
        theirs.positional_embedding.data = first * from_first + second * ~from_first
    elif written == "safetensors":
        path = tmp_path / "weights.safetensors"
        save_file(state, path)
    else:
        torch.save({"state_dict": state} if written == "state_dict" else state, path)
    monkeypatch.setattr("stan.models.backbones._architecture", lambda name: json.loads(json.dumps(PLAIN)))
    ours = load_clip("ViT-B-16", str(path)).eval()
    ids = torch.randint(1, 400, (2, 30))
    torch.testing.assert_close(ours.encode_text(ids).text, theirs.encode_text(ids), atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.encode_image(images()), theirs.encode_image(images()), atol=1e-5, rtol=0)
    assert ours.tokenize(["many words " * 20]).shape == (1, 30)


@pytest.mark.parametrize("change", ["first missing", "another length"])
def test_a_long_clip_with_one_table_is_refused(change, plain, tmp_path):
    state = plain.state_dict() | {"positional_embedding_res": torch.zeros(30, 16)}
    if change == "first missing":
        del state["positional_embedding"]
    torch.save(state, tmp_path / "weights.pt")
    words = r"lacks positional_embedding of the shape of positional_embedding_res, \(30, 16\)"
    with pytest.raises(ValueError, match=words):
        from_config(PLAIN, weights=tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=words):
        load_released(tmp_path / "weights.pt")


def as_hugging_face(model: CustomTextCLIP) -> dict[str, torch.Tensor]:
    """A small SigLIP of open_clip under the names of Hugging Face, written down apart from the code's table."""
    state, found = model.state_dict(), {}
    trunk = {
        "patch_embed.proj": "embeddings.patch_embedding",
        "norm": "post_layernorm",
        "attn_pool.proj": "head.attention.out_proj",
        "attn_pool.norm": "head.layernorm",
        "attn_pool.mlp.fc1": "head.mlp.fc1",
        "attn_pool.mlp.fc2": "head.mlp.fc2",
    }
    for i in range(3):
        trunk |= {
            f"blocks.{i}.{ours}": f"encoder.layers.{i}.{theirs}"
            for ours, theirs in {
                "norm1": "layer_norm1",
                "norm2": "layer_norm2",
                "attn.proj": "self_attn.out_proj",
            }.items()
        } | {f"blocks.{i}.mlp.fc{k}": f"encoder.layers.{i}.mlp.fc{k}" for k in (1, 2)}
    text = {
        "ln_final": "final_layer_norm",
        "text_projection": "head",
        "token_embedding": "embeddings.token_embedding",
    }
    for i in range(2):
        text |= {
            f"transformer.resblocks.{i}.{ours}": f"encoder.layers.{i}.{theirs}"
            for ours, theirs in {
                "ln_1": "layer_norm1",
                "ln_2": "layer_norm2",
                "attn.out_proj": "self_attn.out_proj",
                "mlp.c_fc": "mlp.fc1",
                "mlp.c_proj": "mlp.fc2",
            }.items()
        }
    for tower, names in (("visual.trunk", trunk), ("text", text)):
        side = "vision_model" if tower != "text" else "text_model"
        for ours, theirs in names.items():
            for kind in ("weight", "bias"):
                if f"{tower}.{ours}.{kind}" in state:
                    found[f"{side}.{theirs}.{kind}"] = state[f"{tower}.{ours}.{kind}"]
    for kind in ("weight", "bias"):
        for i in range(3):
            of_three(
                found,
                f"vision_model.encoder.layers.{i}.self_attn",
                kind,
                state[f"visual.trunk.blocks.{i}.attn.qkv.{kind}"],
            )
        for i in range(2):
            joined = state[f"text.transformer.resblocks.{i}.attn.in_proj_{kind}"]
            of_three(found, f"text_model.encoder.layers.{i}.self_attn", kind, joined)
        pool = [state[f"visual.trunk.attn_pool.{part}.{kind}"] for part in ("q", "kv")]
        found[f"vision_model.head.attention.in_proj_{kind}"] = torch.cat(pool)
    found["vision_model.head.probe"] = state["visual.trunk.attn_pool.latent"]
    found["vision_model.embeddings.position_embedding.weight"] = state["visual.trunk.pos_embed"][0]
    found["text_model.embeddings.position_embedding.weight"] = state["text.positional_embedding"]
    found |= {name: state[name].reshape(1) for name in ("logit_scale", "logit_bias")}
    return {name: tensor.clone() for name, tensor in found.items()}


def of_three(found, where: str, kind: str, joined: torch.Tensor) -> None:
    for name, part in zip("qkv", joined.chunk(3), strict=True):
        found[f"{where}.{name}_proj.{kind}"] = part


def siglip(monkeypatch) -> tuple[dict, CustomTextCLIP]:
    config = towers.small(monkeypatch, "SigLIP") | {"init_logit_bias": -10.0}
    config["text_cfg"] = config["text_cfg"] | SIGLIP_TEXT
    torch.manual_seed(0)
    theirs = CustomTextCLIP(**config).eval()
    for parameter in theirs.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return config, theirs


@pytest.mark.parametrize("written", ["safetensors", "bin", "shards"])
def test_a_siglip_of_hugging_face(written, tmp_path, monkeypatch):
    config, theirs = siglip(monkeypatch)
    state = as_hugging_face(theirs)
    if written == "bin":
        torch.save(state, tmp_path / "pytorch_model.bin")
    elif written == "safetensors":
        save_file(state, tmp_path / "model.safetensors")
    else:
        halves = [dict(list(state.items())[k::2]) for k in (0, 1)]
        files = [f"model-0000{k + 1}-of-00002.safetensors" for k in (0, 1)]
        for name, half in zip(files, halves, strict=True):
            save_file(half, tmp_path / name)
        index = {"weight_map": {key: name for name, half in zip(files, halves, strict=True) for key in half}}
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    monkeypatch.setattr("stan.models.backbones._architecture", lambda name: json.loads(json.dumps(config)))
    assert_same(load_clip("ViT-B-16-SigLIP", str(tmp_path)).eval(), theirs, 48)


def test_siglips_own_code_at_hugging_face(monkeypatch, tmp_path):
    """Their model, their file, our embeddings."""
    transformers = pytest.importorskip("transformers")
    config, _ = siglip(monkeypatch)
    sizes = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 192}
    texts = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
    theirs = transformers.SiglipModel(
        transformers.SiglipConfig(
            vision_config=sizes | {"image_size": 48, "patch_size": 16},
            text_config=texts | {"vocab_size": 49408, "max_position_embeddings": 12, "projection_size": 48},
        )
    ).eval()
    theirs.save_pretrained(tmp_path)
    ours = CustomTextCLIP(**config).eval()
    load_into(ours, tmp_path / "model.safetensors", "small")
    with torch.no_grad():
        found, wanted = ours.encode_image(images(48)), theirs.get_image_features(images(48))
    wanted = getattr(wanted, "pooler_output", wanted)
    assert (found - wanted).abs().max() < 2e-3 * wanted.abs().max()  # their GELU is the approximate one


@pytest.mark.parametrize("positions", [12, 30])
def test_a_clip_of_hugging_face_in_its_folder(positions, monkeypatch, tmp_path):
    """Their model, their folder: sizes are the architecture's, activation and length of texts the folder's."""
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 96}
    texts = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    theirs = transformers.CLIPModel(
        transformers.CLIPConfig(
            vision_config=sizes | {"image_size": 16, "patch_size": 8, "projection_dim": 16},
            text_config=texts
            | {"max_position_embeddings": positions, "projection_dim": 16, "eos_token_id": 399},
            projection_dim=16,
        )
    ).eval()
    theirs.save_pretrained(tmp_path)
    plain = PLAIN | {"quick_gelu": False}
    monkeypatch.setattr("stan.models.backbones._architecture", lambda name: json.loads(json.dumps(plain)))
    ours = load_clip("ViT-B-16", str(tmp_path)).eval()
    with torch.no_grad():
        wanted = theirs.get_image_features(images())
        wanted = getattr(wanted, "pooler_output", wanted)
        torch.testing.assert_close(ours.encode_image(images()), wanted, atol=1e-5, rtol=0)
        ids = torch.randint(1, 300, (2, positions))
        ids[:, -1] = 399  # the end of the text
        wanted = theirs.get_text_features(ids)
        wanted = getattr(wanted, "pooler_output", wanted)
        torch.testing.assert_close(ours.encode_text(ids).text, wanted, atol=1e-5, rtol=0)


def test_tags_win_over_folders_of_their_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openai").mkdir()
    assert clip_names.anywhere("clip:ViT-B-32/openai") == "clip:ViT-B-32/openai"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("clip:ViT-B-16-SigLIP2/webli", ("ViT-B-16-SigLIP2", "webli")),
        ("clip:ViT-B-16/mine/a.pt", ("ViT-B-16", "mine/a.pt")),
        ("clip:ViT-B-16//data/a.pt", ("ViT-B-16", "/data/a.pt")),
        ("clip:tiny", ("tiny", None)),
    ],
)
def test_names_of_bare_clips(name, parts):
    assert clip_names.split(name) == parts


def test_names_that_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.pt").touch()
    assert clip_names.anywhere("clip:ViT-B-16/mine/a.pt") == f"clip:ViT-B-16/{tmp_path}/mine/a.pt"
    assert clip_names.anywhere("clip:mine") == f"clip:{tmp_path}/mine"
    assert clip_names.anywhere("mine") == f"{tmp_path}/mine"
    for name in ("clip:tiny", "stan-tiny", "clip:ViT-B-16-SigLIP2/webli"):
        assert clip_names.anywhere(name) == name


def test_the_tiny_clip_by_this_name_is_the_preset_with_more_frames():
    named, preset = stan.load_model("clip:tiny"), stan.load_model("clip-tiny")
    assert (named.frames, preset.frames) == (12, 8)
    assert all(torch.equal(value, preset.state_dict()[key]) for key, value in named.state_dict().items())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clip:ViT-B-16-SigLIP3/webli", "no architecture .*close: ViT-B-16-SigLIP.* is no folder of weights"),
        ("clip:ViT-B-32", "needs pretrained=: one of openai"),
        ("clip:ViT-B-32/nobody", "'nobody' is no file and no tag of ViT-B-32"),
        ("clip:RN50/random", "residual network"),
        ("clip:empty", "describes no model: .* clip:ARCHITECTURE/empty"),
        (
            "clip:ViT-B-32/empty",
            "empty holds no weights: put a file there that is called open_clip_model.safetensors",
        ),
        ("clip:half", "half holds no weights"),
        ("clip:torn", "torn.open_clip_config.json describes no model: it is not JSON"),
        ("clip:other", "other.open_clip_config.json holds no model_cfg with embed_dim"),
        ("clip:flat", "flat.open_clip_config.json: vision_cfg is None; it must be an object"),
        ("clip:deep", "deep: layers is 1180591620717411303424; it must be from 1 to"),
        ("clip:none", "none: layers is 0; it must be from 1 to"),
        ("clip:wide", "open_clip builds no model from its config .*surprise"),
    ],
)
def test_names_that_lead_nowhere(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = PLAIN["text_cfg"]
    changed = {
        "half": PLAIN,
        "flat": PLAIN | {"vision_cfg": None},
        "deep": PLAIN | {"text_cfg": text | {"layers": 2**70}},
        "none": PLAIN | {"text_cfg": text | {"layers": 0}},
        "wide": PLAIN | {"text_cfg": text | {"surprise": 1}},
    }
    written = {folder: json.dumps({"model_cfg": config}) for folder, config in changed.items()}
    for folder, said in (written | {"torn": "{", "other": "{}"}).items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "open_clip_config.json").write_text(said)
    torch.save({}, tmp_path / "wide" / "open_clip_pytorch_model.bin")
    for folder in ("flat", "deep", "none"):
        torch.save({}, tmp_path / folder / "open_clip_pytorch_model.bin")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        stan.load_model(name)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tokenizer_kwargs": 5}, "text_cfg.tokenizer_kwargs is 5; it must be an object or null"),
        ({"hf_tokenizer_name": 5}, "text_cfg.hf_tokenizer_name is 5; it must be text or null"),
        ({"hf_model_name": 5}, "text_cfg.hf_model_name is 5; it must be text or null"),
        ({"pool_type": "eos", "eos_id": "x"}, "text_cfg.eos_id is 'x'; it must be a whole number"),
        ({"pool_type": "eos", "eos_id": None}, "text_cfg.eos_id is None; it must be a whole number"),
        ({"pool_type": "eos", "eos_id": 10**30}, r"eos_id is 10+; this vocabulary's ids are from 0 to 49407"),
        ({"pad_id": -1}, "pad_id is -1; this vocabulary's ids"),
        ({"embed_cls": "x"}, "text_cfg.embed_cls is 'x'; it must be true or false"),
        ({"mlp_ratio": None}, "text_cfg.mlp_ratio is None; it must be a finite number"),
        (None, "holds a text tower, and .* has none: write its sizes as text_cfg"),
    ],
)
def test_a_text_config_of_another_kind_is_refused(changed, message, plain, tmp_path):
    text = None if changed is None else PLAIN["text_cfg"] | changed
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": PLAIN | {"text_cfg": text}}))
    torch.save(plain.state_dict(), tmp_path / "open_clip_pytorch_model.bin")
    with pytest.raises(ValueError, match=message) as refused:
        load_clip(str(tmp_path))
    assert str(tmp_path) in str(refused.value)


def test_what_open_clip_writes_for_a_text_tower_of_its_own_is_read(plain, tmp_path):
    """All of its settings, with null for those of a Hugging Face model."""
    text = asdict(CLIPTextCfg()) | PLAIN["text_cfg"]
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": PLAIN | {"text_cfg": text}}))
    torch.save(plain.state_dict(), tmp_path / "open_clip_pytorch_model.bin")
    assert_same(load_clip(str(tmp_path)).eval(), plain)


LONG = "x" * 5000


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (lambda: stan.load_model(LONG), "no model 'xxx"),
        (lambda: stan.load_model(f"clip:{LONG}"), "no architecture"),
        (lambda: stan.load_model(f"clip:ViT-B-32/{LONG}"), "is no file and no tag of ViT-B-32"),
        (lambda: stan.load_model("clip-tiny", LONG), "is no file and no tag of tiny"),
        (lambda: load_clip(LONG), "neither shipped"),
        (lambda: load_clip(f"local-dir:{LONG}"), "describes no model"),
        (lambda: load_released(LONG), "is missing: check the path"),
    ],
)
def test_names_longer_than_a_file_can_have(load, message):
    """Of which the system says so instead of that there is none."""
    with pytest.raises(ValueError, match=message) as refused:
        load()
    assert "\n" not in str(refused.value)


def test_a_name_longer_than_a_file_can_have_stays_as_it_is():
    assert clip_names.anywhere(LONG) == LONG


class Runs(torch.nn.Module):
    """Its archive runs code when it is loaded."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    @torch.jit.export
    def __getstate__(self) -> tuple[int, bool]:
        return 1, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[int, bool]) -> None:
        self.training = state[1]


def test_bad_files_say_what_is_wrong(plain, tmp_path):
    state = plain.state_dict()
    torch.save({key: value for key, value in state.items() if key != "visual.proj"}, tmp_path / "lacking.pt")
    torch.save(state | {"visual.proj": torch.zeros(3, 3)}, tmp_path / "misshaped.pt")
    torch.save(state | {"positional_embedding": torch.zeros(8)}, tmp_path / "flat.pt")
    torch.save(plain, tmp_path / "object.pt")
    (tmp_path / "text.pt").write_text("not found")
    torch.jit.script(Runs()).save(str(tmp_path / "runs.pt"))
    whole = tmp_path / "whole.pt"
    torch.save(state, whole)
    (tmp_path / "half.pt").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    for file, message in {
        "lacking.pt": r"Missing key\(s\) in state_dict: \"visual.proj\"",
        "misshaped.pt": "size mismatch for visual.proj",
        "flat.pt": "flat.pt",
        "object.pt": "holds a open_clip.model.CLIP, and loading that could execute code",
        "text.pt": "no pickle of tensors",
        "runs.pt": "runs code of its own when it is loaded",
        "half.pt": "half.pt",
    }.items():
        with pytest.raises(ValueError, match=message) as refused:
            from_config(PLAIN, weights=tmp_path / file)
        assert str(refused.value).startswith(f"{tmp_path / file} does not hold weights") and "\n" not in str(
            refused.value
        )


def test_the_activation_stands_beside_the_file(plain, tmp_path):
    torch.save(plain.state_dict(), tmp_path / "weights.pt")
    config = json.dumps({"model_cfg": PLAIN | {"quick_gelu": False}})
    for quick, said in (
        (True, {"config.json": json.dumps({"model_type": "clip"})}),
        (False, {"config.json": json.dumps({"model_type": "clip", "vision_config": {"hidden_act": "gelu"}})}),
        (False, {"open_clip_config.json": config}),
    ):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        for name, text in said.items():
            (folder / name).write_text(text)
        shutil.copy(tmp_path / "weights.pt", folder / "open_clip_pytorch_model.bin")
        found = PLAIN | {"quick_gelu": not quick}
        tell(found, folder / "open_clip_pytorch_model.bin")
        assert found["quick_gelu"] is quick
