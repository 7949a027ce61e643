"""Each phrase that people read in the chat is there in each language, and none is of nothing."""

import errno
import os
import pathlib
import re

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src"
TRANSLATES = {"text_add": 1, "text_phrase": 1, "language_phrase": 1, "texts_hint": 1, "answer": 2, "answer_seldom": 2}   # which argument is a phrase
# What comes up from below the chat, as a whole sentence.
BELOW = {"why_set": 2, "session_note": 2, "front_note": 2}
FROM_BELOW = ["vps/session", "vps/consent", "vps/policy/policy.c", "vps/gateways/gateways.c", "shared/target.c",
              "vps/grant/rdp_certificate.c", "vps/grant/publisher.c"]
# Parts that are put together, with forms of their own in the table; and what no chat has to do with.
PUT_TOGETHER = {"No gateway is online.%s", "No gateway named %s is online; %.180s %s.",
                "This needs a second factor.", "This needs somebody's approval.", "cannot start the relay: %s",
                "cannot listen on ENTRANCE_PORT %u at BIND_ADDRESS %s: %s%s",
                "cannot set up TLS: %s",
                "others can read the key %s (mode %04o): chmod 600 %s, or 640 with the group of vps-agent",
                "a key of %u bits %s: take one of 2048 or 3072"}
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|//[^\n]*|/\*.*?\*/|\w+|\s+|.', re.S)
# What is the same in all languages, and what is a mark, a tag or a placeholder and nothing else.
NO_WORDS = re.compile(r"(?:%(?:\d\$)?[-+ #0-9.*]*(?:PRId64|PRIu64|[hlz]*[a-zA-Z])|</?(?:b|code|pre)>|[^A-Za-z])*")
SAME_EVERYWHERE = {"RDP", "SSH", "VNC", "TCP", "ssh", "Remote Desktop", "PostgreSQL:", "MB", "%PRIu64 B", "%PRIu64 s"}


def tokens(path):
    return [t for t in TOKEN.findall(path.read_text()) if not t.isspace() and not t.startswith(("//", "/*"))]


def literals(part):
    """The string literals in an expression, neighbours joined; a macro of inttypes.h stands for itself."""
    found, joined = [], None
    for token in [*part, None]:
        if token and token.startswith('"'):
            joined = (joined or "") + unquote(token)
        elif token and token.startswith("PRI") and joined is not None:
            joined += token
        elif joined is not None:
            found.append(joined)
            joined = None
    return found


def unquote(token):
    return token[1:-1].encode("latin-1", "backslashreplace").decode("unicode_escape").encode(
        "utf-16", "surrogatepass").decode("utf-16")


def arguments(stream, start):
    """Of the call whose "(" is at start: a list of lists of tokens; and where it ends."""
    depth, parts, at = 0, [[]], start
    while True:
        token = stream[at]
        depth += (token in "([{") - (token in ")]}") if len(token) == 1 else 0
        if depth == 0:
            return parts, at
        if token == "," and depth == 1:
            parts.append([])
        elif at > start:
            parts[-1].append(token)
        at += 1


def calls(path, functions=TRANSLATES):
    """(function, its arguments) of all that write what people read."""
    stream = tokens(path)
    for at, token in enumerate(stream[:-1]):
        if token in functions and stream[at + 1] == "(":
            yield token, arguments(stream, at + 1)[0]


def lists(path, part):
    """The literals in NAME[] = {...}, for NAME[i]."""
    stream = tokens(path)
    names = {name for name in part if re.fullmatch("[A-Z]{3,}", name)}
    return [phrase for at, token in enumerate(stream) if token in names and stream[at + 1:at + 4] == ["[", "]", "="]
            for element in arguments(stream, at + 4)[0] for phrase in literals(element)]


def rows(path, macro, *columns):
    """The literals in these columns of a table."""
    stream = tokens(path)
    for at, token in enumerate(stream[:-1]):
        if token == macro and stream[at + 1] == "(" and stream[at - 1] != "define":
            parts = arguments(stream, at + 1)[0]
            for column in columns:
                if column < len(parts):
                    yield from literals(parts[column])


def facts_of_kinds(facts=("client", "warning")):
    """What a kind's named facts say to people: of a hint what it is for, and not its line."""
    stream = tokens(SOURCE / "shared" / "kinds.def")
    for at, token in enumerate(stream[:-1]):
        if token == "KIND" and stream[at + 1] == "(":
            for fact in arguments(stream, at + 1)[0][10:]:
                if fact[1:2] and fact[1] in facts:
                    yield from literals(fact)
                elif fact[1:2] == ["hints"] and "warning" in facts:
                    yield from literals(fact)[::2]


def has_words(phrase):
    return not NO_WORDS.fullmatch(phrase) and phrase not in SAME_EVERYWHERE and not phrase.startswith("pamctl ")


def chat_sources():
    return [*sorted((SOURCE / "vps" / "chat").glob("*.c")), SOURCE / "base" / "text.c"]


def phrases(with_words=True):
    """All that may be said: {phrase: where}."""
    found = {}
    for path in chat_sources():
        for name, parts in calls(path):
            part = parts[TRANSLATES[name]] if len(parts) > TRANSLATES[name] else []
            for phrase in literals(part) + lists(path, part):
                found.setdefault(phrase, path.name)
    for name, macro, *columns in [("answer.def", "ANSWER", 2), ("button.def", "BUTTON", 2), ("command.def", "COMMAND", 2)]:
        for phrase in rows(SOURCE / "vps" / "chat" / name, macro, *columns):
            found.setdefault(phrase, name)
    for phrase in rows(SOURCE / "shared" / "kinds.def", "KIND", 8):
        found.setdefault(phrase, "kinds.def")
    for phrase in facts_of_kinds():
        found.setdefault(phrase, "kinds.def")
    for path, pattern in [("vps/session/view.c", r'\[SESSION_END_\w+\]\s*=\s*\{\s*"[a-z_]*",\s*("(?:[^"\\]|\\.)*")'),
                          ("vps/chat/texts.h", r'#define (?:LABEL|TEXT)_\w+[\s\\]+((?:"(?:[^"\\]|\\.)*"[\s\\]*)+)')]:
        for words in re.findall(pattern, (SOURCE / path).read_text()):
            found.setdefault("".join(unquote(t) for t in re.findall(r'"(?:[^"\\]|\\.)*"', words)), path)
    return {phrase: where for phrase, where in found.items() if not with_words or has_words(phrase)}


def sentences():
    """All that comes from below: {sentence: where}."""
    found = {}
    for path in [path for place in FROM_BELOW for path in ([SOURCE / place] if place.endswith(".c") else sorted((SOURCE / place).glob("*.c")))]:
        for name, parts in calls(path, BELOW):
            for sentence in literals(parts[BELOW[name]]) if len(parts) > BELOW[name] else []:
                found.setdefault(sentence, path.name)
    for service in facts_of_kinds(("service", "shows")):
        found.setdefault(service, "kinds.def")
    return {sentence: where for sentence, where in found.items() if has_words(sentence) and sentence not in PUT_TOGETHER}


def translated(language):
    return list(rows(SOURCE / "vps" / "chat" / f"{language}.def", "PHRASE", 0))


@pytest.mark.parametrize("language", ["german"])
def test_every_phrase_is_translated(language):
    missing = {phrase: where for phrase, where in phrases().items() if phrase not in set(translated(language))}
    assert not missing, f"{len(missing)} phrases are missing in {language}.def:\n" + "\n".join(
        f"{where}: {phrase!r}" for phrase, where in sorted(missing.items(), key=lambda item: item[1]))


@pytest.mark.parametrize("language", ["german"])
def test_every_sentence_from_below_is_translated(language):
    said = sentences()
    assert len(said) > 40
    known = set(rows(SOURCE / "vps" / "chat" / f"{language}.def", "SENTENCE", 0))
    missing = {sentence: where for sentence, where in said.items() if sentence not in known}
    assert not missing, "\n".join(f"{where}: {sentence!r}" for sentence, where in sorted(missing.items(), key=lambda item: item[1]))


@pytest.mark.parametrize("language", ["german"])
def test_no_translation_is_of_nothing(language):
    said = phrases(with_words=False)
    sources = "\n".join(path.read_text() for path in [*SOURCE.rglob("*.[ch]"), SOURCE / "shared" / "kinds.def"])
    sources = re.sub(r'"\s*"', "", sources) + "\n".join(os.strerror(number) for number in errno.errorcode)
    idle = [phrase for phrase in translated(language) if phrase not in said]
    for sentence in rows(SOURCE / "vps" / "chat" / f"{language}.def", "SENTENCE", 0):
        for part in re.split(r"%[.0-9]*l?[a-z]|(?<=[.?]) ", sentence):
            part = part.strip().replace("\\", "\\\\")
            if len(part) >= 12 and part not in sources:
                idle.append(f"{sentence}: {part}")
    assert not idle, "\n".join(idle)


def test_what_is_put_into_a_phrase_has_no_words():
    """"%s" in the place of an "s", or of a word: it would not be translated."""
    found = []
    for path in chat_sources():
        for name, parts in calls(path):
            for part in parts[2:] if name == "text_add" else []:
                if any(token in TRANSLATES for token in part):
                    continue
                own = [t for t in literals(part) if re.search("[A-Za-z]", t)] if not re.search(r"\b\w+ \(", " ".join(part)) else []
                found += [f"{path.name}: {words!r}" for words in own]
    assert not found, "\n".join(found)
