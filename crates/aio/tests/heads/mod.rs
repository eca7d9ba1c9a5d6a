//! Makes requests that are well-formed, or nearly so: always the same ones, from a grammar and mutations of it.

mod dice;
use dice::Dice;

/// A request in its parts, each of which a mutation may spoil.
struct Parts {
    before: &'static [u8],
    line: [Vec<u8>; 3],
    line_end: &'static [u8],
    fields: Vec<Field>,
    end: &'static [u8],
    body: Vec<u8>,
}

struct Field {
    name: Vec<u8>,
    between: &'static [u8],
    value: Vec<u8>,
    end: &'static [u8],
}

impl Field {
    fn new(name: &str, value: &[u8]) -> Self {
        Field {
            name: name.into(),
            between: b": ",
            value: value.into(),
            end: b"\r\n",
        }
    }
}

impl Parts {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.before, &self.line.join(&b' '), self.line_end].concat();
        for field in &self.fields {
            bytes.extend_from_slice(&field.name);
            bytes.extend_from_slice(field.between);
            bytes.extend_from_slice(&field.value);
            bytes.extend_from_slice(field.end);
        }
        bytes.extend_from_slice(self.end);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn find(&mut self, name: &str) -> Option<&mut Field> {
        let name = name.as_bytes();
        self.fields
            .iter_mut()
            .find(|field| field.name.eq_ignore_ascii_case(name))
    }
}

const CHUNKS: &[u8] = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "OPTIONS"];
const TARGETS: [&str; 6] = ["/", "/a", "/a/b?c=d&e", "/%41%2f", "http://x/a", "/a;b=c"];

/// One request as it should be.
fn plain(dice: &mut Dice) -> Parts {
    let method = dice.pick(&METHODS);
    let mut fields = vec![Field::new("Host", b"x")];
    for _ in 0..dice.roll(3) {
        let (name, value) = dice.pick(&[
            ("User-Agent", "test/1.0 (a; b)"),
            ("Accept", "*/*"),
            ("X-Odd", "\"quoted, \\\" text\""),
            ("Cookie", "a=b; c=d"),
            ("X-Empty", ""),
        ]);
        fields.push(Field::new(name, value.as_bytes()));
    }
    let mut body = Vec::new();
    match dice.roll(3) {
        0 => {}
        1 => {
            fields.push(Field::new("Content-Length", b"5"));
            body = b"hello".to_vec();
        }
        _ => {
            fields.push(Field::new("Transfer-Encoding", b"chunked"));
            body = CHUNKS.to_vec();
        }
    }
    Parts {
        before: b"",
        line: [method, dice.pick(&TARGETS), "HTTP/1.1"].map(|word| word.as_bytes().to_vec()),
        line_end: b"\r\n",
        fields,
        end: b"\r\n",
        body,
    }
}

/// What a value of Content-Length may look like.
const LENGTHS: [&[u8]; 12] = [
    b"+5",
    b"-5",
    b"0x5",
    b"",
    b"05",
    b"5, 5",
    b"5,6",
    b"5 5",
    b"5;",
    b"5.0",
    b"18446744073709551621",
    b"\x0b5",
];
const CODINGS: [&[u8]; 11] = [
    b"Chunked",
    b"\x0bchunked",
    b"gzip, chunked",
    b"chunked, gzip",
    b"chunked, chunked",
    b"identity",
    b"gzip",
    b"xchunked",
    b"\"chunked\"",
    b"chunked;a=b",
    b",chunked",
];
const HOSTS: [&[u8]; 9] = [
    b"x:80",
    b"[::1]:80",
    b"a@x",
    b"x/y",
    b"x y",
    b"",
    b"x,y",
    b"x:port",
    b"\xe9x",
];
const CHUNKED_BODIES: [&[u8]; 12] = [
    b"5;a=b\r\nhello\r\n0\r\n\r\n",
    b"05\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"5\r\nhelloX\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nA: b\r\n\r\n",
    b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n",
    b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n",
];
const ODD_FIELDS: [(&str, &[u8], &[u8]); 13] = [
    ("A b", b": ", b"c"),
    ("A", b" : ", b"b"),
    (" A", b": ", b"b"),
    ("", b": ", b"b"),
    ("A", b"", b""),
    ("A(b)", b": ", b"c"),
    ("A", b": ", b"b\0c"),
    ("A", b": ", b"b\rc"),
    ("A", b": ", b"b\x7fc"),
    ("A", b":\t", b"\xe9\xff"),
    ("A", b":", b"b\r\n c"),
    ("Transfer-Encoding ", b": ", b"chunked"),
    ("Content_Length", b": ", b"9"),
];
const LINES: [(usize, &[u8]); 16] = [
    (0, b"get"),
    (0, b"PATCH"),
    (0, b"M-SEARCH"),
    (0, b"GE(T"),
    (0, b""),
    (0, b"\tGET"),
    (1, b"*"),
    (1, b"x:80"),
    (1, b"/a b"),
    (1, b"/a\x7f"),
    (1, b"/\xe9"),
    (1, b""),
    (2, b"HTTP/1.0"),
    (2, b"HTTP/2.0"),
    (2, b"HTTP/1.10"),
    (2, b"http/1.1"),
];

/// Spoils a request in one way, or makes it odd.
fn mutate(parts: &mut Parts, dice: &mut Dice) {
    let any = dice.roll(parts.fields.len().max(1));
    match dice.roll(16) {
        0 => parts.line_end = dice.pick(&[b"\n", b"\r", b"\r\r\n", b" \r\n"]),
        1 => parts.end = dice.pick(&[b"\n", b"\r\r\n", b" \r\n\r\n"]),
        2 => {
            if let Some(field) = parts.fields.get_mut(any) {
                field.end = dice.pick(&[b"\n", b"\r", b"\r\r\n", b" \t\r\n", b"\r\n\t\r\n"]);
            }
        }
        3 => {
            if let Some(field) = parts.fields.get_mut(any) {
                field.between = dice.pick(&[b":", b":\t ", b" : ", b"\t:", b":\x0b", b" "]);
            }
        }
        4 => {
            let (place, word) = dice.pick(&LINES);
            parts.line[place] = word.to_vec();
        }
        5 => {
            let (name, between, value) = dice.pick(&ODD_FIELDS);
            let field = Field {
                between,
                ..Field::new(name, value)
            };
            parts.fields.insert(any, field);
        }
        6 => parts
            .fields
            .push(Field::new("Host", dice.pick(&[b"x", b"y"]))),
        7 => parts.fields.retain(|field| field.name != b"Host"),
        8 => {
            let value = dice.pick(&HOSTS);
            if let Some(host) = parts.find("Host") {
                host.value = value.to_vec();
            }
        }
        9 => parts.before = dice.pick(&[b"\r\n", b"\n", b" ", b"\r\n\r\n\r\n\r\n"]),
        10 => framed(parts, "Content-Length", dice.pick(&LENGTHS), b"hello"),
        11 => framed(parts, "Transfer-Encoding", dice.pick(&CODINGS), CHUNKS),
        12 => framed(
            parts,
            "Transfer-Encoding",
            b"chunked",
            dice.pick(&CHUNKED_BODIES),
        ),
        13 => {
            let value = dice.pick(&[&b"5"[..], b"6", b"0"]);
            parts.fields.push(Field::new("Content-Length", value));
        }
        14 => parts
            .fields
            .push(Field::new("Transfer-Encoding", b"chunked")),
        _ => {
            let value = dice.pick(&["keep-alive", "close", "x, y", "Transfer-Encoding"]);
            parts
                .fields
                .push(Field::new("Connection", value.as_bytes()));
        }
    }
}

/// Frames the body in this way instead.
fn framed(parts: &mut Parts, name: &str, value: &[u8], body: &[u8]) {
    parts.fields.retain(|field| {
        !field.name.eq_ignore_ascii_case(b"Content-Length")
            && !field.name.eq_ignore_ascii_case(b"Transfer-Encoding")
    });
    parts.fields.push(Field::new(name, value));
    parts.body = body.to_vec();
}

/// The requests, bodies included: a fifth of them untouched, the others with one mutation or two.
pub fn generate(count: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut dice = Dice::new(seed);
    (0..count)
        .map(|_| {
            let mut parts = plain(&mut dice);
            for _ in 0..dice.pick(&[0, 1, 1, 1, 2]) {
                mutate(&mut parts, &mut dice);
            }
            parts.bytes()
        })
        .collect()
}
