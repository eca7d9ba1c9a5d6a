//! Values as bytes.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::one_of;
use crate::wire::codec;

/// Larger than what travels in one piece.
const LARGE: usize = 70_000 / one_of(200);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(i64),
    Tuple(u8, char),
    Struct { text: String, wide: u128 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    integers: (i8, i16, i32, i64, u8, u16, u32, u64, i128, u128),
    floats: (f32, f64),
    options: Vec<Option<Option<bool>>>,
    shapes: Vec<Shape>,
    untagged: Vec<Untagged>,
    bytes: Vec<u8>,
    map: BTreeMap<String, Vec<u16>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    absent: Option<u32>,
    nothing: (),
}

fn everything() -> Everything {
    Everything {
        integers: (
            -1,
            -200,
            i32::MIN,
            i64::MIN,
            255,
            300,
            70_000,
            u64::MAX,
            i128::MIN,
            u128::MAX,
        ),
        floats: (1.5, -0.0),
        options: vec![None, Some(None), Some(Some(true))],
        shapes: vec![
            Shape::Unit,
            Shape::Newtype(-33),
            Shape::Tuple(9, 'ß'),
            Shape::Struct {
                text: "a text of more than thirty-one bytes, so not a short one".to_owned(),
                wide: 1 << 100,
            },
        ],
        untagged: vec![Untagged::Number(4), Untagged::Text("four".to_owned())],
        bytes: (0..40).collect(),
        map: [("a".to_owned(), vec![1, 2, 3]), (String::new(), vec![])].into(),
        absent: None,
        nothing: (),
    }
}

fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let bytes = codec::to_vec(value).unwrap();
    assert_eq!(&codec::decode::<T>(&bytes).unwrap(), value);
}

#[test]
fn values_come_back_as_they_were() {
    there_and_back(&everything());
    there_and_back(&vec![everything(); 2]);
    there_and_back(&vec!["x".repeat(LARGE)]);
    there_and_back(&vec![0_u8; LARGE]);
}

#[test]
fn bytes_that_are_cut_off_are_an_error() {
    let bytes = codec::to_vec(&everything()).unwrap();
    for end in (0..bytes.len()).step_by(one_of(29)) {
        assert!(codec::decode::<Everything>(&bytes[..end]).is_err());
    }
}

#[test]
fn overwritten_bytes_are_an_error_or_another_value() {
    let mut bytes = codec::to_vec(&everything()).unwrap();
    for index in (0..bytes.len()).step_by(3 * one_of(29)) {
        let before = bytes[index];
        for other in [0x00, 0x7f, 0xc7, 0xdd, 0xff] {
            bytes[index] = other;
            if let Ok(value) = codec::decode::<Everything>(&bytes) {
                // Bytes are compared: a float may be NaN.
                let again = codec::to_vec(&value).unwrap();
                let value: Everything = codec::decode(&again).unwrap();
                assert_eq!(codec::to_vec(&value).unwrap(), again);
            }
        }
        bytes[index] = before;
    }
}

#[test]
fn a_value_over_the_limit_leaves_nothing_behind() {
    assert!(codec::to_vec_within(&"x".repeat(100), 50).is_err());
    let mut bytes = vec![1, 2, 3];
    let nest = |inner, _| serde_json::Value::Array(vec![inner]);
    let deep = (0..600).fold(serde_json::Value::Null, nest);
    assert!(codec::encode(&deep, &mut bytes).is_err());
    assert_eq!(bytes, [1, 2, 3]);
}
