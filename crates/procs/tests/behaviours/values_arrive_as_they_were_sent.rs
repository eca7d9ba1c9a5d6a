//! What serde can serialize arrives as it was sent, or is refused with an error that names the reason.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io::{Seek, Write};
use std::net::{IpAddr, SocketAddr};
use std::ops::{Bound, Range};
use std::path::PathBuf;
use std::time::Duration;

use procs::{Connection, Descriptor, Manager, Pool, Queue, ReceiveError, SendError};
use proptest::collection::{btree_map, hash_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A field that is left out shifts nothing.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(default)]
struct LeftOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    offset: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    list: Vec<i16>,
    tag: Option<u8>,
    #[serde(skip)]
    cache: u8,
    #[serde(skip_deserializing)]
    computed: u8,
    #[serde(skip_serializing)]
    secret: u8,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(untagged)]
enum Untagged {
    Nothing,
    Flag(bool),
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
    Pair(u8, String),
    Fields { host: IpAddr, port: Option<u16> },
    More(Box<Untagged>, Box<Untagged>, ()),
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "UPPERCASE"
)]
enum Inside {
    NoFields,
    SomeFields {
        first_one: char,
        address: SocketAddr,
    },
    Wraps(LeftOut),
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Unit,
    Newtype(Vec<u8>),
    Tuple(u8, i32),
    Struct { address: IpAddr },
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum External {
    Unit,
    #[serde(rename = "new", alias = "newtype")]
    Newtype(String),
    Tuple(i8, bool),
    Struct {
        #[serde(rename = "type")]
        kind: u8,
    },
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Flat {
    id: u64,
    #[serde(flatten)]
    left_out: LeftOut,
    #[serde(flatten)]
    variant: Adjacent,
    #[serde(flatten)]
    rest: BTreeMap<String, Untagged>,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(transparent)]
struct Transparent {
    inner: VecDeque<u8>,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(into = "String", try_from = "String")]
struct ByText(u32);

impl From<ByText> for String {
    fn from(value: ByText) -> Self {
        value.0.to_string()
    }
}

impl TryFrom<String> for ByText {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

mod halves {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        (value >> 16, value & 0xffff).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let (high, low) = <(u32, u32)>::deserialize(deserializer)?;
        Ok(high << 16 | low)
    }
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Strict {
    #[serde(with = "halves")]
    in_halves: u32,
    text: Cow<'static, str>,
    by_text: ByText,
    transparent: Transparent,
    std: (Duration, Range<u8>, Bound<i8>, PathBuf, Result<u8, String>),
    unit: (),
    array: [u8; 4],
}

/// Values that JSON holds.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Json {
    LeftOut(LeftOut),
    Untagged(Untagged),
    Inside(Inside),
    Adjacent(Adjacent),
    External(External),
    Flat(Flat),
    Strict(Strict),
    Any(serde_json::Value),
    Keys(BTreeMap<u32, Vec<External>>),
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct UnitStruct;

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Wrapped(Option<Option<Option<u8>>>);

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(untagged)]
enum Options {
    Two { inner: Option<Option<u8>>, two: u8 },
    Unit { unit: Option<()>, one: u8 },
}

/// Values that JSON does not hold, or of which it loses a part.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Other {
    Options(
        Wrapped,
        Option<()>,
        Option<UnitStruct>,
        Vec<Option<Option<()>>>,
    ),
    Buffered(Options),
    Wide(u128, i128, u64, i64),
    Floats(Bits32, Bits64),
    Keys(BTreeMap<(u8, char), i8>, HashMap<Option<bool>, f32>),
    ByVariant(BTreeMap<External, ()>),
    Bytes(#[serde(with = "as_bytes")] Vec<u8>),
    Rows(Vec<LeftOut>, Vec<u64>, Vec<i8>, Vec<bool>),
}

/// A float that is equal to another if its bits are.
#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
struct Bits32(f32);

impl PartialEq for Bits32 {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
struct Bits64(f64);

impl PartialEq for Bits64 {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

mod as_bytes {
    use serde::{Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

fn left_out() -> impl Strategy<Value = LeftOut> {
    let fields = (option::of(0..9_u32), 0..9_u32, vec(-3..3_i16, 0..3));
    (fields, any::<Option<u8>>(), any::<[u8; 3]>()).prop_map(|(fields, tag, hidden)| LeftOut {
        limit: fields.0,
        offset: fields.1,
        list: fields.2,
        tag,
        cache: hidden[0],
        computed: hidden[1],
        secret: hidden[2],
    })
}

fn untagged() -> impl Strategy<Value = Untagged> {
    let leaf = prop_oneof![
        Just(Untagged::Nothing),
        any::<bool>().prop_map(Untagged::Flag),
        any::<i64>().prop_map(Untagged::Number),
        ".{0,3}".prop_map(Untagged::Text),
        vec(any::<u8>(), 0..4).prop_map(Untagged::Bytes),
        (any::<u8>(), ".{0,3}").prop_map(|(one, two)| Untagged::Pair(one, two)),
        (any::<IpAddr>(), any::<Option<u16>>())
            .prop_map(|(host, port)| Untagged::Fields { host, port }),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        (inner.clone(), inner)
            .prop_map(|(one, two)| Untagged::More(Box::new(one), Box::new(two), ()))
    })
}

fn inside() -> impl Strategy<Value = Inside> {
    prop_oneof![
        Just(Inside::NoFields),
        (any::<char>(), any::<IpAddr>(), any::<u16>()).prop_map(|(first_one, host, port)| {
            Inside::SomeFields {
                first_one,
                address: SocketAddr::new(host, port),
            }
        }),
        left_out().prop_map(Inside::Wraps),
    ]
}

fn adjacent() -> impl Strategy<Value = Adjacent> {
    prop_oneof![
        Just(Adjacent::Unit),
        vec(any::<u8>(), 0..40).prop_map(Adjacent::Newtype),
        any::<(u8, i32)>().prop_map(|(one, two)| Adjacent::Tuple(one, two)),
        any::<IpAddr>().prop_map(|address| Adjacent::Struct { address }),
    ]
}

fn external() -> impl Strategy<Value = External> {
    prop_oneof![
        Just(External::Unit),
        ".{0,50}".prop_map(External::Newtype),
        any::<(i8, bool)>().prop_map(|(one, two)| External::Tuple(one, two)),
        any::<u8>().prop_map(|kind| External::Struct { kind }),
    ]
}

fn flat() -> impl Strategy<Value = Flat> {
    // No key of the map is the name of a field.
    let rest = btree_map("x.{0,2}", untagged(), 0..3);
    (any::<u64>(), left_out(), adjacent(), rest).prop_map(|(id, left_out, variant, rest)| Flat {
        id,
        left_out,
        variant,
        rest,
    })
}

fn strict() -> impl Strategy<Value = Strict> {
    let bound = prop_oneof![
        Just(Bound::Unbounded),
        any::<i8>().prop_map(Bound::Included),
        any::<i8>().prop_map(Bound::Excluded)
    ];
    let result = prop_oneof![any::<u8>().prop_map(Ok), ".{0,3}".prop_map(Err)];
    let std = (
        any::<Duration>(),
        any::<Range<u8>>(),
        bound,
        "[a-z/]{0,9}",
        result,
    );
    let numbers = (any::<u32>(), any::<u32>(), any::<[u8; 4]>());
    (numbers, ".{0,40}", vec(any::<u8>(), 0..300), std).prop_map(|(numbers, text, bytes, std)| {
        Strict {
            in_halves: numbers.0,
            text: text.into(),
            by_text: ByText(numbers.1),
            transparent: Transparent {
                inner: bytes.into(),
            },
            std: (std.0, std.1, std.2, std.3.into(), std.4),
            unit: (),
            array: numbers.2,
        }
    })
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        (-8_i32..8).prop_map(|quarters| (f64::from(quarters) / 4.0).into()),
        ".{0,4}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Into::into),
            btree_map(".{0,3}", inner, 0..20)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn json() -> impl Strategy<Value = Json> {
    prop_oneof![
        left_out().prop_map(Json::LeftOut),
        untagged().prop_map(Json::Untagged),
        inside().prop_map(Json::Inside),
        adjacent().prop_map(Json::Adjacent),
        external().prop_map(Json::External),
        flat().prop_map(Json::Flat),
        strict().prop_map(Json::Strict),
        any_json().prop_map(Json::Any),
        btree_map(any::<u32>(), vec(external(), 0..20), 0..20).prop_map(Json::Keys),
    ]
}

fn other() -> impl Strategy<Value = Other> {
    let wrapped = any::<Option<Option<Option<u8>>>>().prop_map(Wrapped);
    let unit_struct = option::of(Just(UnitStruct));
    let units = vec(any::<Option<Option<()>>>(), 0..20);
    let options = prop_oneof![
        any::<Option<Option<u8>>>().prop_map(|inner| Options::Two { inner, two: 2 }),
        any::<Option<()>>().prop_map(|unit| Options::Unit { unit, one: 1 }),
    ];
    let floats = (any::<u32>(), any::<u64>());
    let keys = hash_map(any::<Option<bool>>(), -9.0_f32..9.0, 0..3);
    let by_variant = btree_map(external(), Just(()), 0..4);
    let numbers = (
        vec(any::<u64>(), 0..70),
        vec(any::<i8>(), 0..70),
        vec(any::<bool>(), 0..70),
    );
    prop_oneof![
        (wrapped, any::<Option<()>>(), unit_struct, units)
            .prop_map(|(one, two, three, four)| Other::Options(one, two, three, four)),
        options.prop_map(Other::Buffered),
        any::<(u128, i128, u64, i64)>().prop_map(|(a, b, c, d)| Other::Wide(a, b, c, d)),
        any::<(u8, i8, u16, i16)>().prop_map(|(a, b, c, d)| Other::Wide(
            a.into(),
            b.into(),
            c.into(),
            d.into()
        )),
        floats.prop_map(|(one, two)| {
            Other::Floats(Bits32(f32::from_bits(one)), Bits64(f64::from_bits(two)))
        }),
        (btree_map(any::<(u8, char)>(), any::<i8>(), 0..4), keys)
            .prop_map(|(one, two)| Other::Keys(one, two)),
        by_variant.prop_map(Other::ByVariant),
        vec(any::<u8>(), 0..300).prop_map(Other::Bytes),
        (vec(left_out(), 0..20), numbers).prop_map(|(rows, n)| Other::Rows(rows, n.0, n.1, n.2)),
    ]
}

/// What travels: values that JSON holds, and others.
type Values = (Vec<Json>, Vec<Other>);

#[procs::task]
fn echo(values: Values) -> Values {
    values
}

#[procs::task]
fn echo_all(from: Connection<Values>, to: Queue<Values>) {
    while let Ok(values) = from.receive() {
        to.put(&values).expect("it is open");
    }
}

/// Every way by which values travel.
struct Ways {
    pool: Pool,
    here: Connection<Values>,
    queue: Queue<Values>,
    manager: Manager,
}

impl Ways {
    fn new() -> Self {
        let (here, there) = procs::channel().expect("there are descriptors");
        let queue = Queue::new(4).expect("there is memory");
        drop(procs::spawn(echo_all, (there, queue.clone())).expect("it starts"));
        Self {
            pool: Pool::new(1).expect("it starts"),
            here,
            queue,
            manager: Manager::start().expect("it starts"),
        }
    }

    fn check(&self, sent: &Values, expected: &Values) {
        let arrived = self.pool.apply(echo, sent.clone());
        assert_eq!(arrived.expect("the pool's job returns"), *expected);
        self.here.send(sent).expect("it is open");
        let arrived = self.queue.get();
        assert_eq!(arrived.expect("connection and queue pass it"), *expected);
        let value = self.manager.value(sent).expect("it is there");
        assert_eq!(value.get().expect("the manager holds it"), *expected);
    }
}

fn through_json<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("JSON holds it");
    serde_json::from_str(&text).expect("JSON holds it")
}

#[test]
fn every_attribute_and_shape_arrives_as_through_json_or_as_it_was() {
    let ways = Ways::new();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let values = (vec(json(), 0..6), vec(other(), 0..6));
    let result = runner.run(&values, |sent| {
        let mut expected = sent.clone();
        expected.0 = through_json(&sent.0);
        for other in &mut expected.1 {
            if let Other::Rows(rows, ..) = other {
                *rows = through_json(rows);
            }
        }
        ways.check(&sent, &expected);
        Ok(())
    });
    result.expect("each value arrives");
}

/// Sends a value by a connection of its type.
fn by_connection<T: Serialize + DeserializeOwned>(value: &T) -> Result<T, String> {
    let (one, other) = procs::channel::<T>().expect("there are descriptors");
    one.send(value).map_err(|error| error.to_string())?;
    other.receive().map_err(|error| error.to_string())
}

/// Sends a value of one type to an end that expects another.
fn as_other<T: Serialize, U: DeserializeOwned + Serialize>(value: T) -> Result<U, String> {
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either<T, U> {
        Sent(T),
        #[serde(skip_serializing)]
        Received(U),
    }
    struct Only<T, U>(Either<T, U>);
    impl<T: Serialize, U: Serialize> Serialize for Only<T, U> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.serialize(serializer)
        }
    }
    impl<'de, T, U: Deserialize<'de>> Deserialize<'de> for Only<T, U> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            U::deserialize(deserializer).map(|value| Self(Either::Received(value)))
        }
    }
    match by_connection(&Only::<T, U>(Either::Sent(value)))?.0 {
        Either::Received(value) => Ok(value),
        Either::Sent(_) => unreachable!("it is read as the other"),
    }
}

#[test]
fn an_error_names_the_type_the_field_and_the_reason() {
    #[derive(Serialize, Deserialize, Debug)]
    struct Config<T> {
        servers: Vec<Server<T>>,
    }
    #[derive(Serialize, Deserialize, Debug)]
    struct Server<T> {
        port: T,
    }
    let sent = |port: u64| Config {
        servers: vec![Server { port: 1 }, Server { port }],
    };
    let error = as_other::<_, Config<u16>>(sent(70_000)).expect_err("it does not fit");
    assert!(error.contains("Config<u16>"), "{error}");
    assert!(
        error.contains("servers[1].port: invalid value: integer `70000`, expected u16"),
        "{error}"
    );
    let error = as_other::<_, Config<String>>(sent(7)).expect_err("it is no string");
    assert!(
        error.contains("servers[0].port: invalid type: integer `1`"),
        "{error}"
    );
    assert_eq!(
        as_other::<_, Config<u16>>(sent(7))
            .expect("it fits")
            .servers[1]
            .port,
        7
    );
}

#[test]
fn texts_of_the_types_own_errors_arrive() {
    #[derive(Debug)]
    struct Refusing;
    impl Serialize for Refusing {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not on a Monday"))
        }
    }
    impl<'de> Deserialize<'de> for Refusing {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Err(serde::de::Error::custom("not on a Tuesday"))
        }
    }
    let error = by_connection(&(1, Refusing)).expect_err("it refuses");
    assert!(error.contains("[1]: not on a Monday"), "{error}");
    let error = as_other::<_, (u8, Refusing)>((1, 2)).expect_err("it refuses");
    assert!(error.contains("[1]: not on a Tuesday"), "{error}");
    let error = as_other::<_, ByText>("seven").expect_err("it is no number");
    assert!(error.contains("invalid digit found in string"), "{error}");
}

#[test]
fn what_is_left_over_or_missing_is_an_error() {
    let error = as_other::<_, (u8, u8)>((1, 2, 3)).expect_err("it is longer");
    assert!(error.contains("it has 3 elements instead of 2"), "{error}");
    let error = as_other::<_, (u8, u8, u8)>((1, 2)).expect_err("it is shorter");
    assert!(error.contains("invalid length 2"), "{error}");
    #[derive(Serialize, Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct One {
        one: u8,
    }
    let error = as_other::<_, One>(BTreeMap::from([("one", 1), ("two", 2)]));
    assert!(
        error
            .expect_err("it has a second field")
            .contains("unknown field `two`")
    );
    let error = as_other::<_, One>(BTreeMap::<u8, u8>::new()).expect_err("it has no field");
    assert!(error.contains("missing field `one`"), "{error}");
}

/// A list that is as deep as it is long.
#[derive(Serialize, Deserialize, Default)]
struct List {
    next: Option<Box<List>>,
}

impl List {
    fn new(depth: usize) -> Self {
        (1..depth).fold(Self::default(), |list, _| Self {
            next: Some(Box::new(list)),
        })
    }

    fn depth(&self) -> usize {
        std::iter::successors(Some(self), |list| list.next.as_deref()).count()
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut list) = next {
            next = list.next.take();
        }
    }
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(untagged)]
enum Deep {
    End(u8),
    More(Box<[Deep; 1]>),
}

#[test]
fn what_is_nested_too_deep_is_refused_and_overflows_no_stack() {
    assert_eq!(
        by_connection(&List::new(256))
            .expect("it is not too deep")
            .depth(),
        256
    );
    let error = by_connection(&List::new(1_000_000))
        .err()
        .expect("it is too deep");
    assert!(
        error.contains("nested more than 512 levels deep"),
        "{error}"
    );
    let deep = (0..500).fold(Deep::End(7), |deep, _| Deep::More(Box::new([deep])));
    by_connection(&deep).expect("a buffered value is not too deep");
    // The reader's type recurs, whatever the bytes are.
    #[derive(Serialize, Deserialize)]
    struct Endless(Option<Box<Endless>>);
    let error = as_other::<_, Endless>(7_u8).err().expect("it never ends");
    assert!(
        error.contains("nested more than 512 levels deep"),
        "{error}"
    );
    #[derive(Serialize, Deserialize, Debug)]
    struct Ignores {
        #[serde(default)]
        kept: u8,
    }
    let nested = (0..500).fold(serde_json::Value::Null, |inner, _| vec![inner].into());
    let fields = HashMap::from([("ignored", nested)]);
    assert_eq!(
        as_other::<_, Ignores>(fields).expect("it is skipped").kept,
        0
    );
}

#[test]
fn a_length_that_serialize_states_wrongly_is_corrected() {
    struct Liar(Option<usize>);
    impl Serialize for Liar {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            let mut sequence = serializer.serialize_seq(self.0)?;
            for n in 0..20_u8 {
                sequence.serialize_element(&n)?;
            }
            sequence.end()
        }
    }
    for stated in [
        None,
        Some(0),
        Some(20),
        Some(21),
        Some(70_000),
        Some(usize::MAX),
    ] {
        let arrived = as_other::<_, (u8, Vec<u16>, u8)>((1_u8, Liar(stated), 2_u8));
        assert_eq!(arrived, Ok((1, (0..20).collect(), 2)), "stated: {stated:?}");
    }
}

#[test]
fn an_error_that_serialize_hides_is_an_error_of_the_value() {
    struct Hides;
    impl Serialize for Hides {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeTuple;
            struct Fails;
            impl Serialize for Fails {
                fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                    Err(serde::ser::Error::custom("hidden"))
                }
            }
            let mut tuple = serializer.serialize_tuple(2)?;
            let _ = tuple.serialize_element(&Fails);
            tuple.serialize_element(&1)?;
            tuple.end()
        }
    }
    assert!(as_other::<_, Vec<u8>>(Hides).is_err());
}

/// A value whose code panics when it is serialized, or deserialized.
#[derive(Debug, PartialEq)]
enum Panics {
    Here,
    There,
}

impl Serialize for Panics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert_ne!(*self, Self::Here, "serialize panics");
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("deserialize panics");
    }
}

#[test]
fn a_panic_of_the_types_own_code_leaves_the_connection_and_the_pool_usable() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    enum Message {
        Panics(Vec<u8>, Panics),
        Good(u8),
    }
    let unwinds = |what: &mut dyn FnMut()| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(what)).is_err()
    };
    let (one, other) = procs::channel().expect("there are descriptors");
    assert!(unwinds(&mut || drop(
        one.send(&Message::Panics(vec![1; 9], Panics::Here))
    )));
    one.send(&Message::Panics(vec![1; 9], Panics::There))
        .expect("it is open");
    assert!(unwinds(&mut || drop(other.receive())));
    one.send(&Message::Good(7)).expect("it is open");
    assert_eq!(other.receive(), Ok(Message::Good(7)));

    #[procs::task]
    fn gives(here: bool) -> (Vec<u8>, Result<Panics, u8>) {
        (vec![1; 9], if here { Ok(Panics::Here) } else { Err(7) })
    }
    let pool = Pool::new(1).expect("it starts");
    let error = pool.apply(gives, true).expect_err("it panics");
    assert!(error.to_string().contains("serialize panics"), "{error}");
    assert_eq!(
        pool.apply(gives, false).expect("the worker goes on").1,
        Err(7)
    );
}

#[test]
fn descriptors_travel_in_buffered_types_too() {
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Handed {
        // An attempt at this variant takes the descriptor first.
        Numbered { file: Descriptor, number: u32 },
        Named { file: Descriptor, name: String },
    }
    #[derive(Serialize, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        handed: Handed,
    }
    let mut file = File::from(memory_file());
    file.write_all(b"content").expect("there is memory");
    file.rewind().expect("it is a file");
    let outer = Outer {
        handed: Handed::Named {
            file: Descriptor::new(file),
            name: "x".to_owned(),
        },
    };
    let arrived = by_connection(&outer).expect("it arrives");
    let Handed::Named { file, name } = arrived.handed else {
        panic!("another variant arrived")
    };
    assert_eq!(name, "x");
    let text = std::io::read_to_string(File::from(file.into_inner()));
    assert_eq!(text.expect("it is the file"), "content");
}

/// A file without a name.
fn memory_file() -> std::os::fd::OwnedFd {
    let folder = super::common::Folder::new();
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(folder.path("file"));
    file.expect("it is new").into()
}

#[test]
fn bytes_from_elsewhere_are_errors_and_take_no_memory_that_they_do_not_have() {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;
    let (one, other) = Connection::<Json, Json>::pair().expect("there are descriptors");
    let raw = one
        .as_fd()
        .try_clone_to_owned()
        .expect("there are descriptors");
    let raw = UnixDatagram::from(raw);
    let receive = |bytes: &[u8]| {
        let mut packet = (bytes.len() as u64).to_le_bytes().to_vec();
        packet.extend_from_slice(&[0; 16]);
        packet.extend_from_slice(bytes);
        raw.send(&packet).expect("there is room");
        other.receive()
    };
    // Arrays, maps, strings, binaries and extensions that claim 4 GiB.
    for first in [0xdd, 0xdf, 0xdb, 0xc6, 0xc9] {
        let bytes = [0x81, 0xa3, b'A', b'n', b'y', first, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(receive(&bytes), Err(ReceiveError::Decode(_))));
    }
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let bytes = (vec(any::<u8>(), 0..40), 0..9_usize);
    let result = runner.run(&bytes, |(mut bytes, variant)| {
        let names = [
            "LeftOut", "Untagged", "Inside", "Adjacent", "External", "Flat", "Strict", "Any",
            "Keys",
        ];
        let name = names[variant];
        bytes.splice(
            0..0,
            [0x81, 0xa0 | name.len() as u8]
                .into_iter()
                .chain(name.bytes()),
        );
        match receive(&bytes) {
            Ok(_) | Err(ReceiveError::Decode(_)) => Ok(()),
            Err(error) => panic!("{error}"),
        }
    });
    result.expect("each is a value or an error");
}

#[test]
fn a_value_of_more_than_a_gibibyte_is_refused() {
    let (one, _other) = procs::channel::<(u8, String)>().expect("there are descriptors");
    let large = String::from_utf8(vec![0; (1 << 30) + 1]).expect("it is ASCII");
    let error = one.send(&(1, large)).expect_err("it is too large");
    assert!(matches!(error, SendError::Encode(_)));
    assert!(
        error.to_string().contains("more than 1073741824 bytes"),
        "{error}"
    );
}
