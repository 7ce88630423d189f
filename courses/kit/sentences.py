"""What the kit itself says to a learner, in each language; a lesson's own sentences are translated with the lesson.

A dictionary and not compiled catalogues, because the kit must work from a read-only mount of this folder alone.
"""

ENGLISH = "en"

NOT_WRITTEN = "`{function}` is not written yet. Put your code where the cell says so, run that cell, then this one."
STOPPED = "`{function}` stopped with {error}."
STOPPED_AT = "`{function}` stopped at line {line} of its cell, `{source}`, with {error}."
PASSED = "{passed} of {total} checks passed"
POINTS = "{earned} of {worth} points"

_TRANSLATIONS = {
    "zh-CN": {
        NOT_WRITTEN: "`{function}` 还没有写。请在单元格提示的位置写上代码，先运行那个单元格，再运行本单元格。",
        STOPPED: "`{function}` 中途出错：{error}。",
        STOPPED_AT: "`{function}` 在所在单元格的第 {line} 行 `{source}` 出错：{error}。",
        PASSED: "通过 {passed}/{total} 项检查",
        POINTS: "得分 {earned}/{worth}",
    }
}

LANGUAGES = (ENGLISH, *_TRANSLATIONS)


def say(sentence: str, language: str, **fields: object) -> str:
    """The sentence in `language` with its fields filled in; English where the language is not known."""
    return _TRANSLATIONS.get(language, {}).get(sentence, sentence).format(**fields)
