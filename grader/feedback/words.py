"""What a feedback page says, in each language. A dictionary, because the page is made once and kept, not per request."""

_TRANSLATIONS: dict[str, dict[str, str]] = {
    "zh-CN": {
        "Feedback": "作业反馈",
        "{score} of {most} points": "{score} / {most} 分",
        "Handed in {moment}, on time.": "提交于 {moment}，按时。",
        "Handed in {moment}, late.": "提交于 {moment}，迟交。",
        "{points} points were taken off for being late.": "因迟交扣除 {points} 分。",
        "Attempt {number}.": "第 {number} 次提交。",
        "Your answer": "你的回答",
        "Your points": "各项得分",
        "Show the test": "查看测试代码",
        "You left this as it was.": "这里没有作答。",
        "Test": "测试",
        "Hidden test": "隐藏测试",
        "passed": "通过",
        "partly passed": "部分通过",
        "not passed": "未通过",
        "A hidden test did not pass. Try your code with other values than those in the notebook.": (
            "有一项隐藏测试没有通过。请换一些笔记本里没有的数据，再试试你的代码。"
        ),
        "Read by your instructor": "讲师批阅",
        "not marked yet": "尚未批阅",
        "Comment": "评语",
        "extra": "附加分",
        "An output of this kind is not shown here.": "此类输出无法在这里显示。",
        "This notebook was not handed in.": "没有提交这个笔记本。",
        "You see this page as your instructor released it.": "本页为讲师发布时的内容。",
    }
}


def say(sentence: str, language: str, **fields: object) -> str:
    """The sentence in `language` with its fields filled in; English where the language is not known."""
    return _TRANSLATIONS.get(language, {}).get(sentence, sentence).format(**fields)
