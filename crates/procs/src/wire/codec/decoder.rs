//! Deserializer: values from MessagePack.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, Error, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::byte::Bytes;
use super::failure::Failure;
use super::format::*;
use super::{MAX_DEPTH, READ_ONCE};

type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// Reads one value from the start of some bytes.
pub(super) struct Decoder<'de> {
    rest: &'de [u8],
    depth: u32,
}

/// The start of a value: a whole scalar, or the length of a container.
#[derive(Clone, Copy)]
enum Token<'de> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    U128(u128),
    I128(i128),
    F32(f32),
    F64(f64),
    Str(&'de str),
    Binary(&'de [u8]),
    ByteSequence(&'de [u8]),
    Array(usize),
    Map(usize),
    /// The number of `Some`s around a nil.
    Some(u8),
}

impl<'de> Token<'de> {
    fn unexpected(self) -> Unexpected<'de> {
        match self {
            Token::Nil => Unexpected::Unit,
            Token::Bool(value) => Unexpected::Bool(value),
            Token::Unsigned(value) => Unexpected::Unsigned(value),
            Token::Signed(value) => Unexpected::Signed(value),
            Token::U128(_) => Unexpected::Other("an integer of 128 bits"),
            Token::I128(_) => Unexpected::Other("a negative integer of 128 bits"),
            Token::F32(value) => Unexpected::Float(value.into()),
            Token::F64(value) => Unexpected::Float(value),
            Token::Str(text) => Unexpected::Str(text),
            Token::Binary(_) => Unexpected::Other("bytes"),
            Token::ByteSequence(_) | Token::Array(_) => Unexpected::Seq,
            Token::Map(_) => Unexpected::Map,
            Token::Some(_) => Unexpected::Option,
        }
    }
}

impl<'de> Decoder<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self {
            rest: bytes,
            depth: 0,
        }
    }

    /// Consumes and returns the first byte, if it lies in a range.
    #[inline]
    fn first_in(&mut self, range: std::ops::Range<u8>) -> Option<u8> {
        match self.rest {
            [first, rest @ ..] if range.contains(first) => {
                self.rest = rest;
                Some(*first)
            }
            _ => None,
        }
    }

    /// Confirms that nothing is left.
    pub(super) fn finish(&self) -> Result {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(Failure::new(format!("{count} bytes are left over"))),
        }
    }

    #[inline]
    fn take(&mut self, count: usize) -> Result<&'de [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(Failure::truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(Failure::truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Reads an unsigned integer after its first byte.
    #[inline]
    fn unsigned(&mut self, first: u8) -> Result<u64> {
        Ok(match first {
            U8 => self.array().map(u8::from_be_bytes)?.into(),
            U16 => self.array().map(u16::from_be_bytes)?.into(),
            U32 => self.array().map(u32::from_be_bytes)?.into(),
            _ => self.array().map(u64::from_be_bytes)?,
        })
    }

    /// Reads a length. `kind` is 0, 1 or 2 for a length of one, two or four bytes.
    #[inline]
    fn length(&mut self, kind: u8) -> Result<usize> {
        Ok(match kind {
            0 => self.array().map(u8::from_be_bytes)?.into(),
            1 => self.array().map(u16::from_be_bytes)?.into(),
            _ => self.array().map(u32::from_be_bytes)? as usize,
        })
    }

    #[inline]
    fn text(&mut self, length: usize) -> Result<&'de str> {
        match std::str::from_utf8(self.take(length)?) {
            Ok(text) => Ok(text),
            Err(_) => Err(Failure::new("a string in it is not UTF-8")),
        }
    }

    /// Checks the length of a container whose elements take at least `size` bytes each.
    #[inline]
    fn container(&self, length: usize, size: usize) -> Result<usize> {
        if length > self.rest.len() / size {
            return Err(Failure::truncated());
        }
        Ok(length)
    }

    #[cold]
    fn unknown<T>(what: &str, number: u8) -> Result<T> {
        Err(Failure::new(format!(
            "it has {what} {number:#04x}, which is unknown"
        )))
    }

    fn extension(&mut self, length: usize) -> Result<Token<'de>> {
        let [kind] = self.array()?;
        match (kind, length) {
            (U8_SEQUENCE, _) => Ok(Token::ByteSequence(self.take(length)?)),
            (SOME, 1) => match self.array()? {
                [0] => Self::unknown("an option of depth", 0),
                [count] => Ok(Token::Some(count)),
            },
            (U128, 16) => Ok(Token::U128(u128::from_be_bytes(self.array()?))),
            (I128, 16) => Ok(Token::I128(i128::from_be_bytes(self.array()?))),
            _ => Self::unknown("an extension of type", kind),
        }
    }

    #[inline]
    fn token(&mut self) -> Result<Token<'de>> {
        let [first] = self.array()?;
        match first {
            0..=FIX_INT_MAX => Ok(Token::Unsigned(first.into())),
            NEGATIVE_FIX_INT.. => Ok(Token::Signed(first.cast_signed().into())),
            FIX_STR..NIL => self.text((first - FIX_STR).into()).map(Token::Str),
            FIX_MAP..FIX_ARRAY => self.container((first - FIX_MAP).into(), 2).map(Token::Map),
            FIX_ARRAY..FIX_STR => self
                .container((first - FIX_ARRAY).into(), 1)
                .map(Token::Array),
            _ => self.long_token(first),
        }
    }

    /// Reads the rest of a token whose first byte does not contain all of it.
    fn long_token(&mut self, first: u8) -> Result<Token<'de>> {
        Ok(match first {
            NIL => Token::Nil,
            FALSE | TRUE => Token::Bool(first == TRUE),
            U8..=U64 => Token::Unsigned(self.unsigned(first)?),
            I8 => Token::Signed(i8::from_be_bytes(self.array()?).into()),
            I16 => Token::Signed(i16::from_be_bytes(self.array()?).into()),
            I32 => Token::Signed(i32::from_be_bytes(self.array()?).into()),
            I64 => Token::Signed(i64::from_be_bytes(self.array()?)),
            F32 => Token::F32(f32::from_bits(u32::from_be_bytes(self.array()?))),
            F64 => Token::F64(f64::from_bits(u64::from_be_bytes(self.array()?))),
            STR_8..=STR_32 => {
                let length = self.length(first - STR_8)?;
                Token::Str(self.text(length)?)
            }
            BIN_8..=BIN_32 => {
                let length = self.length(first - BIN_8)?;
                Token::Binary(self.take(length)?)
            }
            EXT_8..=EXT_32 => {
                let length = self.length(first - EXT_8)?;
                self.extension(length)?
            }
            FIX_EXT_1..=FIX_EXT_16 => self.extension(1 << (first - FIX_EXT_1))?,
            ARRAY_16 | ARRAY_32 => {
                let length = self.length(first - ARRAY_16 + 1)?;
                Token::Array(self.container(length, 1)?)
            }
            MAP_16 | MAP_32 => {
                let length = self.length(first - MAP_16 + 1)?;
                Token::Map(self.container(length, 2)?)
            }
            _ => return Self::unknown("a first byte", first),
        })
    }

    /// Reads a part one level deeper.
    #[inline]
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return Err(Failure::too_deep());
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Skips one value, at any depth of nesting.
    fn skip(&mut self) -> Result {
        let mut left = 1_u64;
        while left > 0 {
            left -= 1;
            match self.token()? {
                Token::Array(length) => left += length as u64,
                Token::Map(length) => left += 2 * length as u64,
                _ => {}
            }
        }
        Ok(())
    }

    #[inline]
    fn visit<V: Visitor<'de>>(&mut self, token: Token<'de>, visitor: V) -> Result<V::Value> {
        match token {
            Token::Nil => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Unsigned(value) => visitor.visit_u64(value),
            Token::Signed(value) => visitor.visit_i64(value),
            Token::U128(value) => visitor.visit_u128(value),
            Token::I128(value) => visitor.visit_i128(value),
            Token::F32(value) => visitor.visit_f32(value),
            Token::F64(value) => visitor.visit_f64(value),
            Token::Str(text) => visitor.visit_borrowed_str(text),
            Token::Binary(bytes) => visitor.visit_borrowed_bytes(bytes),
            Token::ByteSequence(bytes) => Self::bytes(bytes, visitor),
            Token::Array(left) => self.elements(left, visitor),
            Token::Map(left) => self.entries(left, visitor),
            Token::Some(somes) => Nested { somes }.deserialize_any(visitor),
        }
    }

    fn bytes<V: Visitor<'de>>(bytes: &'de [u8], visitor: V) -> Result<V::Value> {
        let mut elements = Bytes(bytes.iter());
        let value = visitor.visit_seq(&mut elements)?;
        all_read(elements.0.len(), bytes.len(), "elements").map(|()| value)
    }

    fn elements<V: Visitor<'de>>(&mut self, left: usize, visitor: V) -> Result<V::Value> {
        self.nested(|decoder| {
            let mut elements = Elements {
                decoder,
                left,
                read: 0,
            };
            let value = visitor.visit_seq(&mut elements)?;
            all_read(elements.left, left, "elements").map(|()| value)
        })
    }

    fn entries<V: Visitor<'de>>(&mut self, left: usize, visitor: V) -> Result<V::Value> {
        self.nested(|decoder| {
            let key = decoder.rest;
            let mut entries = Entries { decoder, left, key };
            let value = visitor.visit_map(&mut entries)?;
            all_read(entries.left, left, "entries").map(|()| value)
        })
    }
}

/// Confirms that a visitor has consumed all parts of a container.
#[inline]
fn all_read(left: usize, all: usize, parts: &str) -> Result {
    if left == 0 {
        return Ok(());
    }
    let expected = all - left;
    Err(Failure::new(format!(
        "it has {all} {parts} instead of {expected}"
    )))
}

/// Methods with a fast path for an unsigned integer.
macro_rules! integers {
    ($($name:ident)*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            if let Some(first) = self.first_in(0..FIX_INT_MAX + 1) {
                visitor.visit_u64(first.into())
            } else if let Some(first) = self.first_in(U8..U64 + 1) {
                visitor.visit_u64(self.unsigned(first)?)
            } else {
                self.deserialize_any(visitor)
            }
        }
    )*};
}

/// Methods with a fast path for one range of first bytes.
macro_rules! short {
    ($($name:ident: |$decoder:ident, $first:ident, $visitor:ident| $range:expr => $body:block)*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(self, $visitor: V) -> Result<V::Value> {
            let $decoder = self;
            if let Some($first) = $decoder.first_in($range) $body else {
                $decoder.deserialize_any($visitor)
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = Failure;

    #[inline]
    fn is_human_readable(&self) -> bool {
        true
    }

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let token = self.token()?;
        self.visit(token, visitor)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.token()? {
            Token::ByteSequence(bytes) => visitor.visit_borrowed_bytes(bytes),
            token => self.visit(token, visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    short! {
        deserialize_str: |decoder, first, visitor| FIX_STR..NIL => {
            visitor.visit_borrowed_str(decoder.text((first - FIX_STR).into())?)
        }
        deserialize_string: |decoder, first, visitor| FIX_STR..NIL => {
            visitor.visit_borrowed_str(decoder.text((first - FIX_STR).into())?)
        }
        deserialize_identifier: |decoder, first, visitor| FIX_STR..NIL => {
            visitor.visit_borrowed_str(decoder.text((first - FIX_STR).into())?)
        }
        deserialize_f64: |decoder, _first, visitor| F64..F64 + 1 => {
            visitor.visit_f64(f64::from_bits(decoder.array().map(u64::from_be_bytes)?))
        }
        deserialize_map: |decoder, first, visitor| FIX_MAP..FIX_ARRAY => {
            let left = decoder.container((first - FIX_MAP).into(), 2)?;
            decoder.entries(left, visitor)
        }
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.rest {
            [NIL, rest @ ..] => {
                self.rest = rest;
                visitor.visit_none()
            }
            [FIX_EXT_1, SOME, ..] => self.deserialize_any(visitor),
            _ => self.nested(|decoder| visitor.visit_some(decoder)),
        }
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == READ_ONCE {
            return self.deserialize_u64(visitor);
        }
        self.nested(|decoder| visitor.visit_newtype_struct(decoder))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if let Some(first) = self.first_in(FIX_ARRAY..FIX_STR) {
            let left = self.container((first - FIX_ARRAY).into(), 1)?;
            return self.elements(left, visitor);
        }
        match self.token()? {
            Token::Array(left) => self.elements(left, visitor),
            Token::Binary(bytes) => Decoder::bytes(bytes, visitor),
            token => self.visit(token, visitor),
        }
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.token()? {
            Token::Str(name) => visitor.visit_enum(UnitVariant { name }),
            Token::Map(1) => self.nested(|decoder| visitor.visit_enum(Variant { decoder })),
            token => Err(Failure::invalid_type(token.unexpected(), &visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool f32 char unit unit_struct
    }
}

/// The elements of an array.
struct Elements<'d, 'de> {
    decoder: &'d mut Decoder<'de>,
    left: usize,
    read: usize,
}

impl<'de> de::SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Failure;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.read += 1;
        match seed.deserialize(&mut *self.decoder) {
            Ok(value) => Ok(Some(value)),
            Err(failure) => Err(failure.in_element(self.read - 1)),
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The entries of a map.
struct Entries<'d, 'de> {
    decoder: &'d mut Decoder<'de>,
    left: usize,
    /// The bytes from the newest key on.
    key: &'de [u8],
}

impl<'de> de::MapAccess<'de> for Entries<'_, 'de> {
    type Error = Failure;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.key = self.decoder.rest;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(&mut *self.decoder).map_err(|failure| {
            match Decoder::new(self.key).token() {
                Ok(Token::Str(name)) => failure.in_field(name),
                _ => failure,
            }
        })
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A variant that is only a name.
struct UnitVariant<'de> {
    name: &'de str,
}

impl<'de> de::EnumAccess<'de> for UnitVariant<'de> {
    type Error = Failure;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let variant = seed.deserialize(BorrowedStrDeserializer::<Failure>::new(self.name))?;
        Ok((variant, self))
    }
}

impl<'de> de::VariantAccess<'de> for UnitVariant<'de> {
    type Error = Failure;

    fn unit_variant(self) -> Result {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value> {
        Err(Failure::invalid_type(
            Unexpected::UnitVariant,
            &"newtype variant",
        ))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        Err(Failure::invalid_type(Unexpected::UnitVariant, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        Err(Failure::invalid_type(Unexpected::UnitVariant, &visitor))
    }
}

/// A variant with content.
struct Variant<'d, 'de> {
    decoder: &'d mut Decoder<'de>,
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Failure;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let variant = seed.deserialize(&mut *self.decoder)?;
        Ok((variant, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Failure;

    fn unit_variant(self) -> Result {
        de::Deserialize::deserialize(self.decoder)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.decoder)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.decoder.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.decoder.deserialize_any(visitor)
    }
}

/// A nil inside a number of `Some`s.
struct Nested {
    somes: u8,
}

impl<'de> Deserializer<'de> for Nested {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.somes.checked_sub(1) {
            None => visitor.visit_unit(),
            Some(somes) => visitor.visit_some(Self { somes }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.somes == 0 {
            return visitor.visit_none();
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}
