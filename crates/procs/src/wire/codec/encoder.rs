//! Serializer: values to MessagePack.

use std::any::type_name;

use serde::ser::{self, Serialize, Serializer};

use super::MAX_DEPTH;
use super::byte::ByteSerializer;
use super::failure::Failure;
use super::format::*;

type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// Appends one value to a vector.
pub(super) struct Encoder<'a> {
    bytes: &'a mut Vec<u8>,
    /// Largest size of the value, in bytes.
    max: usize,
    /// Largest length of the vector.
    limit: usize,
    depth: u32,
    /// Whether a part was not written. If a `Serialize` hides this error, the value is refused rather than sent incomplete.
    failed: bool,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(bytes: &'a mut Vec<u8>, max: usize) -> Self {
        Self {
            max,
            limit: bytes.len().saturating_add(max),
            bytes,
            depth: 0,
            failed: false,
        }
    }

    /// Confirms that every part was written.
    pub(super) fn finish(self) -> Result {
        if self.failed {
            return Err(Failure::new(
                "its Serialize has hidden the error of a part of it",
            ));
        }
        Ok(())
    }

    #[inline]
    fn reserve(&self, count: usize) -> Result {
        if count > self.limit - self.bytes.len() {
            return Err(Failure::too_large(self.max));
        }
        Ok(())
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result {
        self.reserve(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes a first byte and a big-endian number.
    #[inline]
    fn put_number<const N: usize>(&mut self, first: u8, number: [u8; N]) -> Result {
        self.reserve(1 + N)?;
        self.bytes.push(first);
        self.bytes.extend_from_slice(&number);
        Ok(())
    }

    #[inline]
    fn unsigned(&mut self, value: u64) -> Result {
        if value <= u64::from(FIX_INT_MAX) {
            self.put(&[value as u8])
        } else if value <= 0xff {
            self.put(&[U8, value as u8])
        } else if value <= 0xffff {
            self.put_number(U16, (value as u16).to_be_bytes())
        } else if value <= 0xffff_ffff {
            self.put_number(U32, (value as u32).to_be_bytes())
        } else {
            self.put_number(U64, value.to_be_bytes())
        }
    }

    #[inline]
    fn signed(&mut self, value: i64) -> Result {
        if let Ok(value) = u64::try_from(value) {
            self.unsigned(value)
        } else if value >= -32 {
            self.put(&[value as u8])
        } else if let Ok(value) = i8::try_from(value) {
            self.put_number(I8, value.to_be_bytes())
        } else if let Ok(value) = i16::try_from(value) {
            self.put_number(I16, value.to_be_bytes())
        } else if let Ok(value) = i32::try_from(value) {
            self.put_number(I32, value.to_be_bytes())
        } else {
            self.put_number(I64, value.to_be_bytes())
        }
    }

    /// Writes a length, preceded by the first byte for lengths of one, two or four bytes.
    fn length(&mut self, firsts: [u8; 3], length: usize) -> Result {
        if length <= 0xff {
            self.put(&[firsts[0], length as u8])
        } else if length <= 0xffff {
            self.put_number(firsts[1], (length as u16).to_be_bytes())
        } else if let Ok(length) = u32::try_from(length) {
            self.put_number(firsts[2], length.to_be_bytes())
        } else {
            Err(Failure::too_large(self.max))
        }
    }

    #[inline]
    fn string(&mut self, text: &str) -> Result {
        if text.len() < 32 {
            self.reserve(1 + text.len())?;
            self.bytes.push(FIX_STR | text.len() as u8);
        } else {
            self.length([STR_8, STR_16, STR_32], text.len())?;
        }
        self.put(text.as_bytes())
    }

    /// Records an error of a part.
    #[inline]
    fn note<T>(&mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.failed = true;
        }
        result
    }

    /// Writes a value one level deeper.
    #[inline]
    fn nested<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.descend()?;
        let result = value.serialize(&mut *self);
        self.depth -= 1;
        self.note(result)
    }

    #[inline]
    fn descend(&mut self) -> Result {
        if self.depth == MAX_DEPTH {
            return Err(Failure::too_deep());
        }
        self.depth += 1;
        Ok(())
    }

    /// Begins an array or a map, with or without a length.
    #[inline]
    fn container(&mut self, shape: Shape, length: Option<usize>) -> Result<Container<'_, 'a>> {
        self.descend()?;
        let start = self.bytes.len();
        let declared = length.and_then(|length| u32::try_from(length).ok());
        let (header, size) = shape.header(declared);
        self.put(&header[..size])?;
        Ok(Container {
            encoder: self,
            shape,
            start,
            header: size,
            declared,
            count: 0,
            values: 0,
        })
    }

    /// Begins a variant that has content.
    #[inline]
    fn variant(&mut self, name: &str) -> Result {
        self.put(&[FIX_MAP | 1])?;
        self.string(name)
    }

    /// Writes a sequence of `count` `u8`s.
    fn byte_sequence<I>(&mut self, count: usize, items: I) -> Result
    where
        I: Iterator<Item: Serialize>,
    {
        self.length([EXT_8, EXT_16, EXT_32], count)?;
        self.put(&[U8_SEQUENCE])?;
        self.reserve(count)?;
        let (start, mut wrong) = (self.bytes.len(), false);
        let bytes = items.take(count + 1).map(|item| {
            item.serialize(ByteSerializer).unwrap_or_else(|_| {
                wrong = true;
                0
            })
        });
        self.bytes.extend(bytes);
        if wrong || self.bytes.len() - start != count {
            self.failed = true;
            return Err(Failure::new(
                "its sequence of bytes has changed during encoding",
            ));
        }
        Ok(())
    }
}

/// Returns whether a type is `u8`, or a reference to it.
#[inline]
fn is_byte<T>() -> bool {
    matches!(type_name::<T>(), "u8" | "&u8")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Array,
    Map,
}

impl Shape {
    /// Returns the first bytes of a container of this length, or with room for any length, and their number.
    #[inline]
    fn header(self, length: Option<u32>) -> ([u8; 5], usize) {
        let (fix, long, longest) = match self {
            Self::Array => (FIX_ARRAY, ARRAY_16, ARRAY_32),
            Self::Map => (FIX_MAP, MAP_16, MAP_32),
        };
        match length {
            Some(length @ 0..16) => ([fix | length as u8, 0, 0, 0, 0], 1),
            Some(length @ 16..0x1_0000) => {
                let [high, low] = (length as u16).to_be_bytes();
                ([long, high, low, 0, 0], 3)
            }
            other => {
                let [a, b, c, d] = other.unwrap_or(0).to_be_bytes();
                ([longest, a, b, c, d], 5)
            }
        }
    }
}

/// An array or a map that is being written.
pub(super) struct Container<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    shape: Shape,
    start: usize,
    /// The size of the header.
    header: usize,
    declared: Option<u32>,
    /// Number of elements or keys that were written.
    count: u32,
    /// Number of values of keys that were written.
    values: u32,
}

impl Container<'_, '_> {
    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        let result = value.serialize(&mut *self.encoder);
        let index = self.count as usize;
        self.count = self
            .count
            .checked_add(1)
            .ok_or_else(|| Failure::too_large(self.encoder.max))?;
        self.encoder
            .note(result)
            .map_err(|failure| failure.in_element(index))
    }

    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result {
        self.encoder.string(name)?;
        let result = value.serialize(&mut *self.encoder);
        self.count += 1;
        self.encoder
            .note(result)
            .map_err(|failure| failure.in_field(name))
    }

    /// Corrects the header if the length was unknown or wrong.
    #[inline]
    fn close(self) -> Result {
        self.encoder.depth -= 1;
        if self.declared != Some(self.count) {
            self.correct();
        }
        Ok(())
    }

    #[cold]
    fn correct(self) {
        let (header, size) = self.shape.header(Some(self.count));
        let old = self.start..self.start + self.header;
        if size == self.header {
            self.encoder.bytes[old].copy_from_slice(&header[..size]);
        } else if self.declared.is_none() {
            let (mut header, _) = self.shape.header(None);
            header[1..].copy_from_slice(&self.count.to_be_bytes());
            self.encoder.bytes[old].copy_from_slice(&header);
        } else {
            self.encoder
                .bytes
                .splice(old, header[..size].iter().copied());
        }
    }
}

impl<'e, 'a> Serializer for &'e mut Encoder<'a> {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Container<'e, 'a>;
    type SerializeTuple = Container<'e, 'a>;
    type SerializeTupleStruct = Container<'e, 'a>;
    type SerializeTupleVariant = Container<'e, 'a>;
    type SerializeMap = Container<'e, 'a>;
    type SerializeStruct = Container<'e, 'a>;
    type SerializeStructVariant = Container<'e, 'a>;

    #[inline]
    fn is_human_readable(&self) -> bool {
        true
    }

    #[inline]
    fn serialize_bool(self, v: bool) -> Result {
        self.put(&[if v { TRUE } else { FALSE }])
    }

    #[inline]
    fn serialize_i8(self, v: i8) -> Result {
        self.signed(v.into())
    }

    #[inline]
    fn serialize_i16(self, v: i16) -> Result {
        self.signed(v.into())
    }

    #[inline]
    fn serialize_i32(self, v: i32) -> Result {
        self.signed(v.into())
    }

    #[inline]
    fn serialize_i64(self, v: i64) -> Result {
        self.signed(v)
    }

    #[inline]
    fn serialize_i128(self, v: i128) -> Result {
        if let Ok(v) = i64::try_from(v) {
            return self.signed(v);
        }
        self.put(&[FIX_EXT_16, I128])?;
        self.put(&v.to_be_bytes())
    }

    #[inline]
    fn serialize_u8(self, v: u8) -> Result {
        self.unsigned(v.into())
    }

    #[inline]
    fn serialize_u16(self, v: u16) -> Result {
        self.unsigned(v.into())
    }

    #[inline]
    fn serialize_u32(self, v: u32) -> Result {
        self.unsigned(v.into())
    }

    #[inline]
    fn serialize_u64(self, v: u64) -> Result {
        self.unsigned(v)
    }

    #[inline]
    fn serialize_u128(self, v: u128) -> Result {
        if let Ok(v) = u64::try_from(v) {
            return self.unsigned(v);
        }
        self.put(&[FIX_EXT_16, U128])?;
        self.put(&v.to_be_bytes())
    }

    #[inline]
    fn serialize_f32(self, v: f32) -> Result {
        self.put_number(F32, v.to_bits().to_be_bytes())
    }

    #[inline]
    fn serialize_f64(self, v: f64) -> Result {
        self.put_number(F64, v.to_bits().to_be_bytes())
    }

    #[inline]
    fn serialize_char(self, v: char) -> Result {
        self.string(v.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, v: &str) -> Result {
        self.string(v)
    }

    fn serialize_bytes(self, v: &[u8]) -> Result {
        self.length([BIN_8, BIN_16, BIN_32], v.len())?;
        self.put(v)
    }

    #[inline]
    fn serialize_none(self) -> Result {
        self.put(&[NIL])
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        let start = self.bytes.len();
        self.nested(value)?;
        match &mut self.bytes[start..] {
            [NIL] => {
                self.bytes.truncate(start);
                self.put(&[FIX_EXT_1, SOME, 1])
            }
            [FIX_EXT_1, SOME, count] => {
                *count = count.checked_add(1).ok_or_else(Failure::too_deep)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    #[inline]
    fn serialize_unit(self) -> Result {
        self.put(&[NIL])
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result {
        self.put(&[NIL])
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result {
        self.string(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result {
        self.nested(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result {
        self.variant(variant)?;
        self.nested(value)
            .map_err(|failure| failure.in_field(variant))
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Container<'e, 'a>> {
        self.container(Shape::Array, length)
    }

    #[inline]
    fn serialize_tuple(self, length: usize) -> Result<Container<'e, 'a>> {
        self.container(Shape::Array, Some(length))
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Container<'e, 'a>> {
        self.container(Shape::Array, Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Container<'e, 'a>> {
        self.variant(variant)?;
        self.container(Shape::Array, Some(length))
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Container<'e, 'a>> {
        self.container(Shape::Map, length)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Container<'e, 'a>> {
        self.container(Shape::Map, Some(length))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Container<'e, 'a>> {
        self.variant(variant)?;
        self.container(Shape::Map, Some(length))
    }

    #[inline]
    fn collect_seq<I>(self, items: I) -> Result
    where
        I: IntoIterator<Item: Serialize>,
    {
        let mut items = items.into_iter();
        let length = match items.size_hint() {
            (low, Some(high)) if low == high => Some(low),
            _ => None,
        };
        if let Some(count) = length
            && is_byte::<I::Item>()
        {
            return self.byte_sequence(count, items);
        }
        let mut array = self.container(Shape::Array, length)?;
        items.try_for_each(|item| array.element(&item))?;
        array.close()
    }
}

/// The traits for what is written as an array.
macro_rules! arrays {
    ($($name:ident :: $function:ident),*) => {$(
        impl ser::$name for Container<'_, '_> {
            type Ok = ();
            type Error = Failure;

            #[inline]
            fn $function<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
                self.element(value)
            }

            #[inline]
            fn end(self) -> Result {
                self.close()
            }
        }
    )*};
}

arrays!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// The traits for what is written as a map from names.
macro_rules! structs {
    ($($name:ident),*) => {$(
        impl ser::$name for Container<'_, '_> {
            type Ok = ();
            type Error = Failure;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result {
                self.field(name, value)
            }

            #[inline]
            fn end(self) -> Result {
                self.close()
            }
        }
    )*};
}

structs!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Container<'_, '_> {
    type Ok = ();
    type Error = Failure;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result {
        self.element(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.values += 1;
        let result = value.serialize(&mut *self.encoder);
        self.encoder.note(result)
    }

    #[inline]
    fn end(self) -> Result {
        if self.values != self.count {
            return Err(Failure::new("its map has keys without values"));
        }
        self.close()
    }
}
