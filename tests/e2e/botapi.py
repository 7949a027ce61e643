"""A strict Bot API server for the tests.

It is meant to be less forgiving than the real one: what the real server would
answer with an error, or show to a person in a broken way, is also written down
in `violations`, and every test asserts in the end that there are none. A test
plays the person with say() and tap(), reads what a person would see with
wait_message() and transcript(), and makes the network or the server misbehave:

    inject(method, fault, times)    the next calls go wrong; times=None: until heal()
    Fault(..., chat=ID)             only those for that chat
    heal()                          all of that is over
    drop_connections()              every connection is reset
    push_raw(text)                  an update word by word, JSON or not; {id} is its number
    renumber(first)                 update_ids begin anew, as after a week or at another server

and with these members, which may be changed at any time:

    token, bot_id       another bot (with wrong_token_is_expected: a revoked token)
    clock_off           seconds that this server's clock is ahead of the machine's: header Date
                        and the dates of messages. Its negative is how wrong the agent's clock is
    sends_date          False: answers have no header Date
    polls_wait          False: getUpdates is answered at once, whatever `timeout` says
    cut_polls_after     seconds after which the connection of a poll is closed; None: never
    webhook             True: somebody set one
    descriptions        what is shown of the bot before it says anything, by parameter's name

Way is a relay in front of it that can forget its connections, as a NAT does.
"""

import contextlib
import dataclasses
import http.server
import itertools
import json
import re
import select
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import urllib.parse
from collections import defaultdict, deque

import util

BOT_ID = 7000000001
BOT_NAME = "pam_test_bot"


class BadRequest(Exception):
    """An answer with an error code; `fault` tells that a correct bot never gets it."""

    def __init__(self, description, code=400, fault=True):
        super().__init__(description)
        self.description = description
        self.code = code
        self.fault = fault


# ---------------------------------------------------------------- HTML

TAGS = {"b", "i", "u", "s", "code", "pre", "a", "tg-spoiler", "blockquote"}
ENTITY_TYPES = {
    "b": "bold", "i": "italic", "u": "underline", "s": "strikethrough", "code": "code",
    "pre": "pre", "a": "text_link", "tg-spoiler": "spoiler", "blockquote": "blockquote",
}
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
ENTITY = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z]+));")
START_TAG = re.compile(r"<([a-z-]+)((?:\s+[a-z-]+(?:=(?:\"[^\"<]*\"|'[^'<]*'))?)*)\s*>")
ATTRIBUTE = re.compile(r"([a-z-]+)(?:=(?:\"([^\"]*)\"|'([^']*)'))?")
ALLOWED_ATTRIBUTES = {"a": {"href"}, "code": {"class"}, "blockquote": {"expandable"}}


def utf16_length(text):
    return len(text.encode("utf-16-le")) // 2


def parse_html(html):
    """Text and entities of Telegram's HTML, or BadRequest.

    Stricter than the real parser in two places: a bare '&' or '>' is refused,
    because it can only come from text that nobody escaped.
    """

    def fail(why):
        raise BadRequest(f"Bad Request: can't parse entities: {why}")

    text, entities, open_tags, at = "", [], [], 0
    while at < len(html):
        char = html[at]
        offset = len(html[:at].encode())
        if char == "&":
            match = ENTITY.match(html, at)
            if not match:
                fail(f"bare '&' at byte offset {offset}")
            decimal, hexadecimal, name = match.groups()
            if name:
                if name not in NAMED:
                    fail(f"unknown entity &{name}; at byte offset {offset}")
                text += NAMED[name]
            else:
                number = int(decimal) if decimal else int(hexadecimal, 16)
                if not 0 < number < 0x110000 or 0xD800 <= number < 0xE000:
                    fail(f"bad numeric entity at byte offset {offset}")
                text += chr(number)
            at = match.end()
        elif char == "<" and html.startswith("</", at):
            end = html.find(">", at)
            name = html[at + 2:end].strip() if end > 0 else ""
            if end < 0:
                fail(f"unclosed end tag at byte offset {offset}")
            if not open_tags:
                fail(f"unexpected end tag at byte offset {offset}")
            tag, start, attributes = open_tags.pop()
            if name != tag:
                fail(f'unmatched end tag at byte offset {offset}, expected "</{tag}>", found "</{name}>"')
            length = utf16_length(text) - start
            if length:
                entity = {"type": ENTITY_TYPES[tag], "offset": start, "length": length}
                if tag == "a":
                    entity["url"] = attributes.get("href", "")
                entities.append(entity)
            at = end + 1
        elif char == "<":
            match = START_TAG.match(html, at)
            if not match or match[1] not in TAGS:
                found = re.match(r"<[^\s>]*", html[at:])[0][1:]
                fail(f'unsupported start tag "{found}" at byte offset {offset}')
            tag = match[1]
            attributes = {m[1]: m[2] or m[3] or "" for m in ATTRIBUTE.finditer(match[2])}
            if set(attributes) - ALLOWED_ATTRIBUTES.get(tag, set()):
                fail(f'attributes {sorted(attributes)} of tag "{tag}" at byte offset {offset}')
            if any(outer in ("code", "pre") for outer, _, _ in open_tags) and not (
                    tag == "code" and open_tags[-1][0] == "pre"):
                fail(f'tag "{tag}" inside code at byte offset {offset}')
            open_tags.append((tag, utf16_length(text), attributes))
            at = match.end()
        elif char == ">":
            fail(f"bare '>' at byte offset {offset}")
        else:
            text += char
            at += 1
    if open_tags:
        fail(f'can\'t find end tag corresponding to start tag "{open_tags[-1][0]}"')
    return text, sorted(entities, key=lambda e: (e["offset"], -e["length"]))


# ---------------------------------------------------------------- parameters

def as_int(value, form):
    if form and isinstance(value, str) and re.fullmatch(r"-?\d{1,16}", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2 ** 53:
        return value
    raise ValueError("an integer")


def as_bool(value, form):
    if form and value in ("true", "false", "True", "False", "1", "0"):
        return value in ("true", "True", "1")
    if isinstance(value, bool):
        return value
    raise ValueError("a boolean")


def as_text(value, form):
    if isinstance(value, str):
        return value
    raise ValueError("a string")


def as_json(value, form):
    """Nested objects: as they are in a JSON body, as a JSON string in a form."""
    if form:
        try:
            value = json.loads(value)
        except (TypeError, ValueError):
            raise ValueError("a JSON-serialised object") from None
    if isinstance(value, (dict, list)):
        return value
    raise ValueError("an object")


def as_file(value, form):
    if isinstance(value, Upload):
        return value
    raise ValueError("a file (multipart/form-data)")


SEND = {
    "chat_id": as_int, "disable_notification": as_bool, "protect_content": as_bool,
    "reply_markup": as_json, "reply_parameters": as_json, "parse_mode": as_text,
}
EDIT = {"chat_id": as_int, "message_id": as_int, "reply_markup": as_json}
# name -> (parameters, those that must be there)
METHODS = {
    "getme": ({}, ()),
    "getupdates": ({"offset": as_int, "limit": as_int, "timeout": as_int,
                    "allowed_updates": as_json}, ()),
    "sendmessage": ({**SEND, "text": as_text, "link_preview_options": as_json}, ("chat_id", "text")),
    "senddocument": ({**SEND, "document": as_file, "caption": as_text,
                      "disable_content_type_detection": as_bool}, ("chat_id", "document")),
    "editmessagetext": ({**EDIT, "text": as_text, "parse_mode": as_text,
                         "link_preview_options": as_json}, ("chat_id", "message_id", "text")),
    "editmessagecaption": ({**EDIT, "caption": as_text, "parse_mode": as_text},
                           ("chat_id", "message_id")),
    "editmessagereplymarkup": (EDIT, ("chat_id", "message_id")),
    "deletemessage": ({"chat_id": as_int, "message_id": as_int}, ("chat_id", "message_id")),
    "answercallbackquery": ({"callback_query_id": as_text, "text": as_text, "show_alert": as_bool,
                             "cache_time": as_int}, ("callback_query_id",)),
    "setmycommands": ({"commands": as_json, "scope": as_json, "language_code": as_text},
                      ("commands",)),
    "setmydescription": ({"description": as_text, "language_code": as_text}, ()),
    "setmyshortdescription": ({"short_description": as_text, "language_code": as_text}, ()),
    "getmydescription": ({"language_code": as_text}, ()),
    "getmyshortdescription": ({"language_code": as_text}, ()),
    "getwebhookinfo": ({}, ()),
    "deletewebhook": ({"drop_pending_updates": as_bool}, ()),
    "sendchataction": ({"chat_id": as_int, "action": as_text}, ("chat_id", "action")),
}


@dataclasses.dataclass
class Upload:
    file_name: str
    mime: str
    data: bytes


def clean_file_name(raw):
    """What the real server makes of a file name: URL-decoded, cleaned, cut."""
    name = urllib.parse.unquote(raw)
    name = re.sub(r"[<>:\"/\\|?*&`'\x00-\x1f]", "", name)
    stem, dot, extension = name.rpartition(".")
    return stem[:64] + dot + extension[:16] if dot else name[:64]


def parse_multipart(body, content_type):
    """Fields of a multipart body. Only the exact form that the real server takes."""
    match = re.fullmatch(r'multipart/form-data;\s*boundary=(?:"([^"]{1,70})"|([^\s";]{1,70}))',
                         content_type)
    if not match:
        raise BadRequest("Bad Request: boundary not found or too long")
    mark = b"--" + (match[1] or match[2]).encode()
    if not body.startswith(mark + b"\r\n") or not body.rstrip(b"\r\n").endswith(b"\r\n" + mark + b"--"):
        raise BadRequest("Bad Request: multipart body does not begin or end with the boundary")
    fields = {}
    for part in body.split(b"\r\n" + mark)[:-1]:
        part = part.removeprefix(mark)
        head, blank, data = part.partition(b"\r\n\r\n")
        if not head.startswith(b"\r\n") or not blank:
            raise BadRequest("Bad Request: malformed part of a multipart body")
        headers = {}
        for line in head[2:].decode("utf-8").split("\r\n"):
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        disposition = headers.get("content-disposition", "")
        if not disposition.startswith("form-data;"):
            raise BadRequest("Bad Request: Content-Disposition is not form-data")
        pairs = dict(re.findall(r'(\w+\*?)="((?:[^"\\]|\\.)*)"', disposition))
        if "name" not in pairs or pairs["name"] in fields:
            raise BadRequest("Bad Request: part without a name, or the same name twice")
        if "filename" in pairs:
            raw = re.sub(r"\\(.)", r"\1", pairs["filename"])
            fields[pairs["name"]] = Upload(raw, headers.get("content-type", ""), data)
        else:
            fields[pairs["name"]] = data.decode("utf-8")
    return fields


def check_markup(markup):
    """An inline keyboard as rows of buttons, or BadRequest."""
    if not isinstance(markup, dict) or set(markup) != {"inline_keyboard"}:
        raise BadRequest("Bad Request: reply_markup is not an inline keyboard")
    rows = markup["inline_keyboard"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise BadRequest("Bad Request: inline_keyboard must be an array of arrays")
    for button in itertools.chain(*rows):
        actions = set(button) - {"text"}
        if not isinstance(button.get("text"), str) or not button["text"].strip():
            raise BadRequest("Bad Request: inline keyboard button text is empty")
        if len(actions) != 1:
            raise BadRequest("Bad Request: a button needs exactly one action")
        action = actions.pop()
        value = button[action]
        if action == "callback_data":
            if not isinstance(value, str) or not 1 <= len(value.encode()) <= 64:
                raise BadRequest("Bad Request: BUTTON_DATA_INVALID")
        elif action == "copy_text":
            if (not isinstance(value, dict) or set(value) != {"text"}
                    or not isinstance(value["text"], str) or not 1 <= len(value["text"]) <= 256):
                raise BadRequest("Bad Request: BUTTON_COPY_TEXT_INVALID")
        elif action == "url":
            if not re.match(r"(https?|tg)://", value):
                raise BadRequest("Bad Request: unsupported URL protocol")
        else:
            raise BadRequest(f"Bad Request: unknown button action {action}")
    return rows


# ---------------------------------------------------------------- what a person sees

class Message:
    """A message of the bot in a chat, as it is now, with its history."""

    def __init__(self, message_id, chat_id):
        self.id = message_id
        self.chat_id = chat_id
        self.text = ""          # plain text; the caption of a document
        self.html = ""
        self.entities = []
        self.rows = []
        self.document = None    # Upload
        self.deleted = False
        self.date = int(time.time())
        self.history = []       # [(monotonic time, text or "(deleted)")]
        self.seq = 0            # of its last change

    @property
    def code(self):
        """The texts in <code> and <pre>, but for the audit's head below a session that has ended."""
        units = self.text.encode("utf-16-le")
        found = [units[2 * e["offset"]:2 * (e["offset"] + e["length"])].decode("utf-16-le")
                 for e in self.entities if e["type"] in ("code", "pre")]
        return [text for text in found if not re.fullmatch(r"#\d+ [0-9a-f]{32}", text)]

    @property
    def buttons(self):
        return list(itertools.chain(*self.rows))

    def button(self, text):
        """The button whose label contains text, or None."""
        for button in self.buttons:
            if text.lower() in button["text"].lower():
                return button
        return None

    def says(self, *words):
        """Every word is in the text, in any case."""
        return all(word.lower() in self.text.lower() for word in words)

    def api(self):
        out = {"message_id": self.id, "from": bot_user(), "date": self.date,
               "chat": {"id": self.chat_id, "type": "private" if self.chat_id > 0 else "supergroup"}}
        if self.document:
            out["document"] = {"file_id": f"F{self.id}", "file_unique_id": f"U{self.id}",
                               "file_name": self.document.file_name,
                               "mime_type": self.document.mime,
                               "file_size": len(self.document.data)}
            if self.text:
                out["caption"] = self.text
        else:
            out["text"] = self.text
        if self.entities:
            out["caption_entities" if self.document else "entities"] = self.entities
        if self.rows:
            out["reply_markup"] = {"inline_keyboard": self.rows}
        if len(self.history) > 1:
            out["edit_date"] = int(time.time())
        return out

    def __repr__(self):
        labels = " ".join(f"[{b['text']}]" for b in self.buttons)
        return f"<#{self.id} to {self.chat_id}: {self.text!r} {labels}{' DELETED' if self.deleted else ''}>"


def bot_user():
    return {"id": BOT_ID, "is_bot": True, "first_name": "Pam", "username": BOT_NAME}


@dataclasses.dataclass
class Written:
    """A message of a person."""
    user_id: int
    text: str
    date: int
    update_id: int
    deleted: bool = False


@dataclasses.dataclass
class Query:
    """A tap on a button."""
    id: str
    user_id: int
    answer: dict = None
    expired: bool = False


@dataclasses.dataclass
class Fault:
    """What goes wrong with one call.

    kind: status (an error answer), drop (the connection is closed unanswered),
    lost (the call is carried out and then the connection is closed), slow
    (answered after `seconds`), garbage (200 with something that is not JSON).
    chat: only calls for this chat.
    """
    kind: str
    code: int = 0
    description: str = ""
    retry_after: int = 0
    seconds: float = 0
    body: bytes = b"<html><body>It works!</body></html>"
    chat: int = None


@dataclasses.dataclass
class Call:
    at: float
    method: str
    params: dict
    status: int = 0


class BotApi:
    """The server. Use it as a context manager."""

    def __init__(self, token, listener=None, tls=None):
        """listener: a bound socket (for example of another network namespace).
        tls: an ssl.SSLContext for HTTPS."""
        self.token = token
        self.bot_id = BOT_ID
        self.clock_off = 0
        self.sends_date = True
        self.polls_wait = True
        self.cut_polls_after = None
        self.tls = tls
        self.listener = listener or util.server()
        self.address = self.listener.getsockname()
        self.lock = threading.Condition(threading.RLock())
        self.violations = []
        self.benign = []            # errors that a correct bot may meet
        self.calls = []             # every Call, in order
        self.messages = {}          # (chat_id, message_id) -> Message
        self.written = {}           # the same of what people wrote -> Written
        self.commands = None        # what setMyCommands left
        self.commands_in = {}       # the same for those who read a language
        self.descriptions_in = {}   # {(language, "description"): text}
        self.languages = {}         # of people's apps, by their number
        self.webhook = False
        self.allowed_updates = None
        self.started = set()        # chats that the bot may write to
        self.queries = {}
        self.wrong_token_is_expected = False
        self.conflicts_are_expected = False
        self.polls = 0              # getUpdates calls that are waiting now
        self.descriptions = {"description": "", "short_description": ""}
        self._log = []              # transcript
        self._updates = deque()     # not yet acknowledged
        self._raw = {}              # update_id -> what is sent in its place
        self._next_update = int(time.time()) % 100000 * 10 + 1000001
        self._message_ids = itertools.count(1)
        self._query_ids = itertools.count(4382000000000001)
        self._seq = 0
        self._faults = defaultdict(deque)
        self._lasting = {}          # method -> Fault, until heal()
        self._flood_until = {}      # (method, chat) -> when it may call again
        self._poll_ticket = 0       # the newest getUpdates
        self._last_poll = (None, 0.0)
        self._stopping = False
        self._connections = set()
        self._began = time.monotonic()

    # -- life

    def __enter__(self):
        api = self

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            block_on_close = False

            def __init__(self):
                socketserver.BaseServer.__init__(self, api.address, Handler)
                self.socket = api.listener
                self.socket.listen(64)

            def get_request(self):
                connection, address = self.socket.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with api.lock:
                    api._connections.add(connection)
                return connection, address

            def shutdown_request(self, request):
                with api.lock:
                    api._connections.discard(request)
                try:
                    request.close()
                except OSError:
                    pass

            def handle_error(self, request, client_address):
                pass

        Handler.api = self
        handler = type("BoundHandler", (Handler,), {"api": self})
        self._server = Server()
        self._server.RequestHandlerClass = handler
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        with self.lock:
            self._stopping = True
            self.lock.notify_all()
        self._server.shutdown()
        self._thread.join()
        self.listener.close()
        self.drop_connections()

    def drop_connections(self):
        """Resets every connection, as a broken network would."""
        with self.lock:
            connections, self._connections = self._connections, set()
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @property
    def port(self):
        return self.address[1]

    @property
    def url(self):
        host = self.address[0]
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    # -- the person's side

    def _person(self, user_id):
        person = {"id": user_id, "is_bot": False, "first_name": f"User{user_id}"}
        return person | ({"language_code": self.languages[user_id]} if user_id in self.languages else {})

    def say(self, user_id, text, /, *, kind="message", entities=None, **overrides):
        """A message of a person to the bot. Returns its update_id.

        overrides replace members of the Message object; `from_` replaces
        `from`; None removes a member.
        """
        with self.lock:
            message = {
                "message_id": next(self._message_ids),
                "from": self._person(user_id),
                "chat": {"id": user_id, "type": "private", "first_name": f"User{user_id}"},
                "date": int(self.now()),
                "text": text,
            }
            command = re.match(r"/[A-Za-z0-9_]{1,64}(@[A-Za-z0-9_]{3,32})?", text)
            if entities is None and command:
                entities = [{"type": "bot_command", "offset": 0, "length": len(command[0])}]
            if entities:
                message["entities"] = entities
            for key, value in overrides.items():
                key = "from" if key == "from_" else key
                if value is None:
                    message.pop(key, None)
                else:
                    message[key] = value
            self.started.add(message["chat"]["id"])
            self.written[message["chat"]["id"], message["message_id"]] = Written(
                user_id, text, message["date"], self._next_update)
            self._note(f"user {user_id}: {text}" + (f"   ({kind}, {overrides})" if overrides else ""))
            return self._push(kind, message)

    def was_deleted(self, update_id):
        """The bot has deleted the message of say()."""
        with self.lock:
            return any(w.deleted for w in self.written.values() if w.update_id == update_id)

    def tap(self, user_id, message, button, data=None):
        """A tap on a button of a message of the bot. Returns the Query.

        data: the callback data, for taps that no honest client would send.
        """
        with self.lock:
            if data is None:
                found = message.button(button)
                assert found and "callback_data" in found, f"no button {button!r} on {message}"
                data = found["callback_data"]
            query = Query(str(next(self._query_ids)), user_id)
            self.queries[query.id] = query
            self._note(f"user {user_id} taps [{button}] on #{message.id}")
            self._push("callback_query", {
                "id": query.id, "chat_instance": "-3141592653589793238", "data": data,
                "from": self._person(user_id),
                "message": message.api(),
            })
            return query

    def push_update(self, kind, body):
        """Any other update, word by word."""
        with self.lock:
            return self._push(kind, body)

    def push_raw(self, text):
        with self.lock:
            update_id = self._push("raw", None)
            self._raw[update_id] = text.replace("{id}", str(update_id))
            return update_id

    def renumber(self, first):
        with self.lock:
            self._next_update = first
            self._updates.clear()

    def now(self):
        """The time by this server's clock."""
        return time.time() + self.clock_off

    def _push(self, kind, body):
        update_id = self._next_update
        self._next_update += 1
        self._updates.append({"update_id": update_id, kind: body})
        self.lock.notify_all()
        return update_id

    def mark(self):
        """A point in time, for `since`."""
        with self.lock:
            return self._seq

    def wait(self, check, timeout=10, what="something"):
        """Waits until check() is true and returns what it returned."""
        deadline = time.monotonic() + timeout
        with self.lock:
            while True:
                result = check()
                if result:
                    return result
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"waited {timeout} s for {what} in vain\n{self.transcript()}")
                self.lock.wait(min(left, 0.25))

    def wait_message(self, wanted, timeout=10, since=0, chat=None):
        """The newest message of the bot that is there, changed after `since`,
        and satisfies `wanted`: a function of a Message, or words it has to say."""
        test = wanted if callable(wanted) else lambda m: m.says(wanted)
        what = "a message" if callable(wanted) else f"a message that says {wanted!r}"

        def look():
            for message in self.all_messages(chat, since):
                if test(message):
                    return message
            return None

        return self.wait(look, timeout, what)

    def all_messages(self, chat=None, since=0, deleted=False):
        """The bot's messages, the last changed first."""
        with self.lock:
            found = [m for m in self.messages.values()
                     if m.seq > since and (chat is None or m.chat_id == chat)
                     and (deleted or not m.deleted)]
            return sorted(found, key=lambda m: -m.seq)

    def wait_answer(self, query, timeout=10):
        """Waits until a tap was answered; returns the parameters of the answer."""
        return self.wait(lambda: query.answer is not None and (query.answer or {"": ""}),
                         timeout, f"an answer to the tap {query.id}")

    def wait_read(self, update_id, timeout=10):
        """Waits until an update is acknowledged: it will not be delivered again."""
        self.wait(lambda: all(u["update_id"] > update_id for u in self._updates),
                  timeout, f"the acknowledgement of update {update_id}")

    def wait_polling(self, timeout=10):
        """Waits until the bot is in a long poll."""
        self.wait(lambda: self.polls > 0, timeout, "a getUpdates")

    def unanswered(self):
        return [q for q in self.queries.values() if q.answer is None]

    def transcript(self):
        """What the people in the chats saw, word by word, in order."""
        with self.lock:
            return "---- the chats\n" + "\n".join(self._log) + "\n----"

    def called(self, method):
        with self.lock:
            return [call for call in self.calls if call.method == method.lower()]

    def inject(self, method, fault, times=1):
        """The next `times` calls of the method ("*": of any) go wrong; None: all."""
        with self.lock:
            if times is None:
                self._lasting[method.lower()] = fault
                return
            self._faults[method.lower()].extend([fault] * times)

    def heal(self):
        with self.lock:
            self._faults.clear()
            self._lasting.clear()
            self._flood_until.clear()

    # -- the bot's side

    def violation(self, text):
        with self.lock:
            self.violations.append(text)
            self._note(f"!! VIOLATION: {text}")

    def _note(self, line):
        self._log.append(f"[{time.monotonic() - self._began:7.3f}] {line}")

    def _fault_for(self, method, chat):
        with self.lock:
            for key in (method, "*"):
                faults = self._faults[key]
                for fault in [*faults, self._lasting.get(key)]:
                    if fault and fault.chat in (None, chat):
                        if fault in faults:
                            faults.remove(fault)
                        return fault
        return None

    def _changed(self, message, what):
        self._seq += 1
        message.seq = self._seq
        message.history.append((time.monotonic(), "(deleted)" if message.deleted else message.text))
        labels = " ".join(f"[{b['text']}]" for b in message.buttons)
        indented = message.text.replace("\n", "\n" + " " * 14 + "| ")
        document = f"file {message.document.file_name} ({len(message.document.data)} bytes) " \
            if message.document else ""
        self._note(f"bot {what} #{message.id} to {message.chat_id}: {document}"
                   + ("" if message.deleted else f"{indented} {labels}"))
        self.lock.notify_all()

    def handle(self, method, raw, form, connection):
        """Carries out one call: (status, answer object)."""
        call = Call(time.monotonic(), method, raw)
        with self.lock:
            self.calls.append(call)
        try:
            if method not in METHODS:
                raise BadRequest("Not Found", 404)
            params = self._check(method, raw, form)
            flood = (method, params.get("chat_id"))
            with self.lock:
                wait = self._flood_until.get(flood, 0) - time.monotonic()
            if wait > 0:
                self.violation(f"{method} was called {wait:.1f} s before retry_after was over")
                raise BadRequest(f"Too Many Requests: retry after {int(wait) + 1}", 429, False)
            if method == "getupdates":
                result = self._get_updates(params, connection)
            else:
                with self.lock:
                    result = getattr(self, "_do_" + method)(params)
            call.status = 200
            return 200, {"ok": True, "result": result}
        except BadRequest as error:
            call.status = error.code
            if error.fault:
                self.violation(f"{method}: {error.description} (parameters {raw})")
            else:
                with self.lock:
                    self.benign.append(f"{method}: {error.description}")
            answer = {"ok": False, "error_code": error.code, "description": error.description}
            if error.code == 429:
                answer["parameters"] = {"retry_after": int(re.search(r"\d+$", error.description)[0])}
            return error.code, answer

    def _check(self, method, raw, form):
        spec, required = METHODS[method]
        params = {}
        for name, value in raw.items():
            if name not in spec:
                raise BadRequest(f"Bad Request: unknown parameter {name!r}")
            try:
                params[name] = spec[name](value, form)
            except ValueError as error:
                raise BadRequest(f"Bad Request: parameter {name!r} must be {error}") from None
        for name in required:
            if name not in params:
                raise BadRequest(f"Bad Request: parameter {name!r} is required")
        return params

    def _get_updates(self, params, connection):
        if self.webhook:
            raise BadRequest("Conflict: can't use getUpdates method while webhook is active; "
                             "use deleteWebhook to delete the webhook first", 409, False)
        limit = params.get("limit", 100)
        timeout = params.get("timeout", 0)
        if not 1 <= limit <= 100 or timeout < 0:
            raise BadRequest("Bad Request: limit or timeout out of range")
        if timeout > 50:
            self.violation(f"getUpdates with timeout {timeout}: the server makes 50 of it")
            timeout = 50
        offset = params.get("offset", 0)
        if offset < 0:
            raise BadRequest("Bad Request: a negative offset forgets updates")
        with self.lock:
            if "allowed_updates" in params:
                self.allowed_updates = params["allowed_updates"]
            # As the real one: an offset that is far beyond the newest update is none.
            if offset <= self._next_update + 10:
                while self._updates and self._updates[0]["update_id"] < offset:
                    self._updates.popleft()
            self.lock.notify_all()
            same, when = self._last_poll
            if timeout < 3 and same == offset and time.monotonic() - when < 3:
                timeout = 3
            if not self.polls_wait:
                timeout = 0
            self._last_poll = (offset, time.monotonic())
            self._poll_ticket += 1
            ticket = self._poll_ticket
            deadline = time.monotonic() + timeout
            self.polls += 1
            self.lock.notify_all()
            try:
                began = time.monotonic()
                while not self._updates and time.monotonic() < deadline and not self._stopping:
                    self.lock.wait(min(0.05, max(0.0, deadline - time.monotonic())))
                    if self.cut_polls_after and time.monotonic() - began >= self.cut_polls_after:
                        raise ConnectionError
                    if gone(connection):
                        raise ConnectionError
                    if ticket != self._poll_ticket:
                        if not self.conflicts_are_expected:
                            self.violation("two getUpdates at a time")
                        raise BadRequest("Conflict: terminated by other getUpdates request; make "
                                         "sure that only one bot instance is running", 409, False)
                if self._stopping:
                    raise ConnectionError
                return list(itertools.islice(self._updates, limit))
            finally:
                self.polls -= 1

    def _content(self, params, key, most):
        """Text and entities of a text or caption."""
        html = params.get(key, "")
        mode = params.get("parse_mode")
        if mode not in (None, "HTML"):
            raise BadRequest("Bad Request: unsupported parse_mode")
        text, entities = parse_html(html) if mode else (html, [])
        if any(ord(c) < 32 and c not in "\n\t" for c in text):
            raise BadRequest("Bad Request: control characters in the text")
        text = text.rstrip()
        if key == "text" and not text.strip():
            raise BadRequest("Bad Request: message text is empty")
        if len(text) > most:
            raise BadRequest("Bad Request: message is too long" if key == "text"
                             else "Bad Request: message caption is too long")
        return html, text, entities

    def _chat(self, params):
        chat = params["chat_id"]
        if chat not in self.started:
            raise BadRequest("Forbidden: bot can't initiate conversation with a user", 403)
        return chat

    def _preview(self, params):
        allowed = {"is_disabled", "url", "prefer_small_media", "prefer_large_media",
                   "show_above_text"}
        options = params.get("link_preview_options", {})
        if not isinstance(options, dict) or set(options) - allowed:
            raise BadRequest("Bad Request: can't parse link_preview_options")

    def _reply(self, params):
        reply = params.get("reply_parameters")
        if reply is not None and (not isinstance(reply, dict)
                                  or not isinstance(reply.get("message_id"), int)):
            raise BadRequest("Bad Request: can't parse reply_parameters")

    def _new_message(self, chat):
        message = Message(next(self._message_ids), chat)
        message.date = int(self.now())
        self.messages[chat, message.id] = message
        return message

    def _do_getme(self, params):
        return {**bot_user(), "id": self.bot_id, "can_join_groups": True, "can_read_all_group_messages": False,
                "supports_inline_queries": False}

    def _do_getwebhookinfo(self, params):
        return {"url": "https://elsewhere.example/hook" if self.webhook else "",
                "has_custom_certificate": False, "pending_update_count": len(self._updates)}

    def _do_deletewebhook(self, params):
        self.webhook = False
        return True

    def _do_sendchataction(self, params):
        self._chat(params)
        return True

    def _do_sendmessage(self, params):
        chat = self._chat(params)
        self._preview(params)
        self._reply(params)
        html, text, entities = self._content(params, "text", 4096)
        rows = check_markup(params["reply_markup"]) if "reply_markup" in params else []
        message = self._new_message(chat)
        message.html, message.text, message.entities, message.rows = html, text, entities, rows
        self._changed(message, "sends")
        return message.api()

    def _do_senddocument(self, params):
        chat = self._chat(params)
        self._reply(params)
        html, text, entities = self._content(params, "caption", 1024)
        rows = check_markup(params["reply_markup"]) if "reply_markup" in params else []
        upload = params["document"]
        if not upload.data:
            raise BadRequest("Bad Request: file must be non-empty")
        cleaned = clean_file_name(upload.file_name)
        if not cleaned or cleaned != upload.file_name:
            self.violation(f"file name {upload.file_name!r} would be shown as {cleaned!r}")
        if params.get("protect_content"):
            self.violation("a protected document: the person could not save it")
        message = self._new_message(chat)
        message.document = Upload(cleaned, upload.mime, upload.data)
        message.html, message.text, message.entities, message.rows = html, text, entities, rows
        self._changed(message, "sends")
        return message.api()

    def _editable(self, params):
        message = self.messages.get((params["chat_id"], params["message_id"]))
        if not message or message.deleted:
            raise BadRequest("Bad Request: message to edit not found", 400, False)
        return message

    def _apply(self, message, html, text, entities, rows):
        if (message.text, message.entities, message.rows) == (text, entities, rows):
            raise BadRequest("Bad Request: message is not modified: specified new message content "
                             "and reply markup are exactly the same as a current content and reply "
                             "markup of the message", 400, False)
        message.html, message.text, message.entities, message.rows = html, text, entities, rows
        self._changed(message, "edits")
        return message.api()

    def _do_editmessagetext(self, params):
        message = self._editable(params)
        self._preview(params)
        if message.document:
            raise BadRequest("Bad Request: there is no text in the message to edit")
        rows = check_markup(params["reply_markup"]) if "reply_markup" in params else []
        return self._apply(message, *self._content(params, "text", 4096), rows)

    def _do_editmessagecaption(self, params):
        message = self._editable(params)
        if not message.document:
            raise BadRequest("Bad Request: there is no caption in the message to edit")
        rows = check_markup(params["reply_markup"]) if "reply_markup" in params else []
        return self._apply(message, *self._content(params, "caption", 1024), rows)

    def _do_editmessagereplymarkup(self, params):
        message = self._editable(params)
        rows = check_markup(params["reply_markup"]) if "reply_markup" in params else []
        return self._apply(message, message.html, message.text, message.entities, rows)

    def _delete_written(self, chat_id, written):
        """Bots may delete what people wrote to them in a private chat, for two days."""
        if written.deleted:
            raise BadRequest("Bad Request: message to delete not found", 400, False)
        if chat_id < 0 or self.now() - written.date > 48 * 3600:
            raise BadRequest("Bad Request: message can't be deleted")
        written.deleted = True
        self._note(f"bot deletes what user {written.user_id} wrote: {written.text}")
        self.lock.notify_all()
        return True

    def _do_deletemessage(self, params):
        if written := self.written.get((params["chat_id"], params["message_id"])):
            return self._delete_written(params["chat_id"], written)
        message = self.messages.get((params["chat_id"], params["message_id"]))
        if not message or message.deleted:
            raise BadRequest("Bad Request: message to delete not found", 400, False)
        message.deleted = True
        self._changed(message, "deletes")
        return True

    def _do_answercallbackquery(self, params):
        query = self.queries.get(params["callback_query_id"])
        if len(params.get("text", "")) > 200:
            raise BadRequest("Bad Request: MESSAGE_TOO_LONG")
        if not params.get("text", "").strip():
            self.violation("a tap is answered without a word")
        if not query or query.answer is not None or query.expired:
            raise BadRequest("Bad Request: query is too old and response timeout expired or query "
                             "ID is invalid", 400, query is None)
        query.answer = params
        self._note(f"bot answers the tap of {query.user_id}: {params.get('text', '')}")
        self.lock.notify_all()
        return True

    def _do_setmycommands(self, params):
        commands = params["commands"]
        if not isinstance(commands, list) or len(commands) > 100:
            raise BadRequest("Bad Request: can't parse commands")
        for command in commands:
            if (set(command) != {"command", "description"}
                    or not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"])
                    or not 1 <= len(command["description"]) <= 256):
                raise BadRequest("Bad Request: BOT_COMMAND_INVALID")
        scopes = ("default", "all_private_chats", "all_group_chats", "all_chat_administrators",
                  "chat", "chat_administrators", "chat_member")
        if params.get("scope", {"type": "default"}).get("type") not in scopes:
            raise BadRequest("Bad Request: can't parse scope")
        if "language_code" in params:
            self._check_language(params["language_code"])
            self.commands_in[params["language_code"]] = commands
        else:
            self.commands = commands
        self.lock.notify_all()
        return True

    def _check_language(self, code):
        if not re.fullmatch(r"[a-z]{2}", code):
            raise BadRequest("Bad Request: invalid language code specified")

    def _describe(self, params, name, most):
        if len(params.get(name, "")) > most:
            raise BadRequest(f"Bad Request: {name} is too long")
        if "language_code" in params:
            self._check_language(params["language_code"])
            self.descriptions_in[params["language_code"], name] = params.get(name, "")
        else:
            self.descriptions[name] = params.get(name, "")
        self.lock.notify_all()
        return True

    def _described(self, params, name):
        """Everybody's, where there is none in that language."""
        own = self.descriptions_in.get((params.get("language_code"), name))
        return {name: own or self.descriptions[name]}

    def _do_setmydescription(self, params):
        return self._describe(params, "description", 512)

    def _do_setmyshortdescription(self, params):
        return self._describe(params, "short_description", 120)

    def _do_getmydescription(self, params):
        return self._described(params, "description")

    def _do_getmyshortdescription(self, params):
        return self._described(params, "short_description")


def gone(connection):
    """The peer closed the connection."""
    try:
        if not select.select([connection], [], [], 0)[0]:
            return False
        if isinstance(connection, ssl.SSLSocket):
            return True  # it asks nothing while it waits for an answer
        return connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True


class Handler(http.server.BaseHTTPRequestHandler):
    """HTTP: finds method and parameters, applies faults."""

    protocol_version = "HTTP/1.1"
    api = None
    timeout = 120

    def setup(self):
        if self.api.tls:
            self.request.settimeout(10)
            self.request = self.api.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self):
        try:
            super().finish()
        except OSError:
            pass

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.serve({}, False)

    def do_POST(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.serve(body, True)

    def parameters(self, body):
        """(parameters, whether they come from a form)."""
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
        if not body:
            return query, True
        if query:
            raise BadRequest("Bad Request: parameters in the URL beside a body")
        content_type = self.headers.get("Content-Type", "")
        kind = content_type.split(";")[0].strip().lower()
        if kind == "application/json":
            def no_duplicates(pairs):
                if len({name for name, _ in pairs}) != len(pairs):
                    raise ValueError("a name twice in one object")
                return dict(pairs)
            try:
                value = json.loads(body.decode("utf-8"), object_pairs_hook=no_duplicates)
            except ValueError as error:
                raise BadRequest(f"Bad Request: can't parse JSON: {error}") from None
            if not isinstance(value, dict):
                raise BadRequest("Bad Request: the JSON body is not an object")
            return value, False
        if kind == "application/x-www-form-urlencoded":
            text = body.decode("utf-8")
            return dict(urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=True)), True
        if kind == "multipart/form-data":
            return parse_multipart(body, content_type), True
        raise BadRequest(f"Bad Request: content type {content_type!r}")

    def chat(self, body):
        """The chat that a call is about, or None."""
        try:
            raw, form = self.parameters(body)
            return as_int(raw["chat_id"], form)
        except (BadRequest, ValueError, KeyError, TypeError):
            return None

    def date_time_string(self, timestamp=None):
        return super().date_time_string(self.api.now() if timestamp is None else timestamp)

    def send_header(self, keyword, value):
        if keyword != "Date" or self.api.sends_date:
            super().send_header(keyword, value)

    def serve(self, body, post):
        api = self.api
        path = urllib.parse.urlsplit(self.path).path
        match = re.fullmatch(r"/bot([^/]+)/([A-Za-z]+)", path)
        if not match:
            api.violation(f"path {path!r}")
            return self.answer(404, {"ok": False, "error_code": 404, "description": "Not Found"})
        method = match[2].lower()
        fault = api._fault_for(method, self.chat(body))
        if fault and fault.kind == "drop":
            return self.hang_up()
        if fault and fault.kind == "slow":
            deadline = time.monotonic() + fault.seconds
            with api.lock:
                while time.monotonic() < deadline and not api._stopping:
                    api.lock.wait(min(0.1, max(0, deadline - time.monotonic())))
        if fault and fault.kind == "garbage":
            return self.send_body(200, fault.body, "text/html")
        if urllib.parse.unquote(match[1]) != api.token:
            if not api.wrong_token_is_expected:
                api.violation("a wrong token")
            return self.answer(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        try:
            raw, form = self.parameters(body)
        except (BadRequest, ValueError) as error:
            api.violation(f"{method}: {error}")
            return self.answer(400, {"ok": False, "error_code": 400, "description": str(error)})
        if fault and fault.kind == "status":
            return self.fail(fault, method, raw)
        try:
            status, answer = api.handle(method, raw, form, self.connection)
        except ConnectionError:
            return self.hang_up()
        if fault and fault.kind == "lost":
            return self.hang_up()
        return self.answer(status, answer)

    def fail(self, fault, method, raw):
        answer = {"ok": False, "error_code": fault.code, "description": fault.description}
        with self.api.lock:
            self.api.calls.append(Call(time.monotonic(), method, raw, fault.code))
            if fault.retry_after:
                answer["parameters"] = {"retry_after": fault.retry_after}
                chat = raw.get("chat_id")
                chat = int(chat) if chat is not None else None
                # a hair's breadth for the clocks' rounding
                self.api._flood_until[method, chat] = time.monotonic() + fault.retry_after - 0.05
        return self.answer(fault.code, answer, fault.retry_after)

    def answer(self, status, value, retry_after=0):
        if status == 429 and not retry_after:
            retry_after = value["parameters"]["retry_after"]
        text = json.dumps(value)
        for update_id, raw in list(self.api._raw.items()):
            text = text.replace(json.dumps({"update_id": update_id, "raw": None}), raw)
        return self.send_body(status, text.encode(), "application/json", retry_after)

    def send_body(self, status, body, content_type, retry_after=0):
        try:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            if retry_after:
                self.send_header("Retry-After", str(retry_after))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def hang_up(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Way:
    """A relay in front of a BotApi, at a port of its own: a context manager.

    forget(): connections that are there carry nothing any more, and nobody is told.
    """

    def __init__(self, api):
        self.target = api.address
        self.listener = util.server()
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self._age = 0           # connections of an older one are forgotten
        self._sockets = []

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def forget(self):
        self._age += 1

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target)
                self._sockets += [near, far]
                for ways in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(*ways, self._age), daemon=True).start()

    def _pump(self, source, sink, age):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if age == self._age:
                    sink.sendall(data)
            if age == self._age:
                sink.shutdown(socket.SHUT_WR)


def make_tls(folder, minimum, maximum):
    """(server context, CA file) with a fresh RSA certificate for 127.0.0.1."""
    ca_key, ca, key, request, certificate, extensions = (
        str(folder / name) for name in ("ca.key", "ca.pem", "key.pem", "req.pem", "cert.pem", "ext"))
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n"
                                "basicConstraints=critical,CA:FALSE\n"
                                "keyUsage=critical,digitalSignature,keyEncipherment\n"
                                "extendedKeyUsage=serverAuth\n")

    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", ca_key, "-out", ca,
            "-days", "2", "-subj", "/CN=pamtunnel test CA",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request,
            "-subj", "/CN=127.0.0.1")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
            "-out", certificate, "-days", "2", "-extfile", extensions)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = minimum, maximum
    context.load_cert_chain(certificate, key)
    return context, ca
