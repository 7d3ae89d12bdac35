//! Reads the written tree into the shapes of [`super::raw`]: strict about types, and each error
//! with its place.
//!
//! A reader of our own rather than the YAML library's, whose code is made again for each shape:
//! that was an eighth of the binary.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::problem::nearest;
use super::written::{Entry, Flaw, Kind, What, Written};

/// The name under which [`super::at::At`] asks for line, column and value.
pub(super) const AT: &str = "$at";

const SCHEMA: &str = "`keyferry schema` prints what is allowed where";

/// One node, to be read as some type.
pub(super) struct Reader<'a>(pub(super) &'a Written);

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Flaw {}

impl de::Error for Flaw {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self {
            at: None,
            what: what.to_string(),
            hint: SCHEMA.to_owned(),
            kind: Kind::Other,
        }
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self {
            kind: Kind::Shape,
            ..Self::custom(format_args!("{expected} is expected here"))
        }
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self {
            kind: Kind::Shape,
            ..Self::custom(format_args!("{expected} is expected here"))
        }
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self {
            at: None,
            what: format!("unknown key `{}`", field.escape_debug()),
            kind: Kind::Key(nearest(field, known.iter().copied())),
            hint: instead(field, known),
        }
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self {
            at: None,
            what: format!("unknown word `{}`", word.escape_debug()),
            hint: instead(word, known),
            kind: Kind::Other,
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            at: None,
            what: format!("`{field}` is missing here"),
            hint: format!("add `{field}: …`"),
            kind: Kind::Missing,
        }
    }
}

/// A key, a key that is known where it was written wrongly, and where it belongs.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "serviceAccounts",
        "registries",
        "beside `secret:`, not in it",
    ),
    ("type", "serviceAccounts", "in `secret:`"),
    ("namespace", "serviceAccounts", "in `secret:`"),
    ("labels", "serviceAccounts", "in `secret:`"),
    ("path", "serviceAccounts", "in `file:`"),
    ("format", "serviceAccounts", "in `file:`"),
    ("mode", "serviceAccounts", "in `file:` or `files:`"),
    ("address", "deliveries", "in `vault:`"),
    ("auth", "deliveries", "in `vault:`"),
    ("age", "deliveries", "in `keys:`"),
    ("sealed", "deliveries", "in `keys:`"),
];

fn instead(word: &str, known: &[&str]) -> String {
    if let Some((_, _, place)) = ELSEWHERE
        .iter()
        .find(|(key, here, _)| *key == word && known.contains(here))
    {
        return format!("did you mean to write `{word}` {place}?");
    }
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known here: {}", known.join(", ")),
    }
}

impl<'a> Reader<'a> {
    fn flaw(&self, expected: &str) -> Flaw {
        Flaw::shape(self.0.at, expected, SCHEMA)
    }

    /// Gives an error that knows no place this one.
    fn here<T>(&self, read: Result<T, Flaw>) -> Result<T, Flaw> {
        read.map_err(|flaw| Flaw {
            at: flaw.at.or(Some(self.0.at)),
            ..flaw
        })
    }

    fn text(&self) -> Result<&'a str, Flaw> {
        match &self.0.what {
            What::Scalar { text, .. } if !self.0.is_null() => Ok(text),
            What::Scalar { .. } | What::List(_) | What::Map(_) => Err(self.flaw("one text")),
        }
    }

    fn number<T: std::str::FromStr>(&self, expected: &str) -> Result<T, Flaw> {
        match &self.0.what {
            What::Scalar { text, plain: true } => text.parse().map_err(|_| self.flaw(expected)),
            What::Scalar { .. } | What::List(_) | What::Map(_) => Err(self.flaw(expected)),
        }
    }

    fn list<V: Visitor<'a>>(&self, visitor: V) -> Result<V::Value, Flaw> {
        match &self.0.what {
            What::List(items) => self.here(visitor.visit_seq(Items(items.iter()))),
            What::Scalar { .. } | What::Map(_) => Err(self.flaw("a list (`[a, b]`)")),
        }
    }

    fn map<V: Visitor<'a>>(&self, visitor: V) -> Result<V::Value, Flaw> {
        match &self.0.what {
            What::Map(entries) => {
                let entries = Entries {
                    left: entries.iter(),
                    value: None,
                };
                self.here(visitor.visit_map(entries))
            }
            What::Scalar { .. } | What::List(_) => Err(self.flaw("a mapping (`key: value`)")),
        }
    }
}

impl<'a> Deserializer<'a> for Reader<'a> {
    type Error = Flaw;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Flaw> {
        match &self.0.what {
            What::Scalar { .. } if self.0.is_null() => self.here(visitor.visit_unit()),
            What::Scalar { text, .. } => self.here(visitor.visit_str(text)),
            What::List(_) => self.list(visitor),
            What::Map(_) => self.map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Flaw> {
        let value = match &self.0.what {
            What::Scalar { text, plain: true } if text == "true" => true,
            What::Scalar { text, plain: true } if text == "false" => false,
            What::Scalar { .. } | What::List(_) | What::Map(_) => {
                return Err(Flaw::shape(
                    self.0.at,
                    "true or false",
                    "write true or false, without quotes",
                ));
            }
        };
        self.here(visitor.visit_bool(value))
    }

    fn deserialize_u32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Flaw> {
        self.here(visitor.visit_u32(self.number("a whole number, not negative,")?))
    }

    fn deserialize_u64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Flaw> {
        self.here(visitor.visit_u64(self.number("a whole number, not negative,")?))
    }

    fn deserialize_i64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Flaw> {
        self.here(visitor.visit_i64(self.number("a whole number")?))
    }

    fn deserialize_f64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Flaw> {
        self.here(visitor.visit_f64(self.number("a number")?))
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Flaw> {
        self.here(visitor.visit_str(self.text()?))
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Flaw> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Flaw> {
        if self.0.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Flaw> {
        if name == AT {
            let Self(node) = self;
            self.here(visitor.visit_seq(Placed { node, part: 0 }))
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Flaw> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Flaw> {
        self.map(visitor)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Flaw> {
        self.map(visitor)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Flaw> {
        let choice = match &self.0.what {
            What::Scalar { text, .. } => Choice {
                word: text,
                node: self.0,
                value: None,
            },
            What::Map(entries) => match entries.as_slice() {
                [entry] => Choice {
                    word: &entry.key,
                    node: self.0,
                    value: Some(&entry.value),
                },
                _ => return Err(self.flaw("a mapping with exactly one key")),
            },
            What::List(_) => return Err(self.flaw("a word or a mapping with one key")),
        };
        self.here(visitor.visit_enum(choice))
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Flaw> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        i8 i16 i32 i128 u8 u16 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier
    }
}

/// Items of a list.
struct Items<'a>(std::slice::Iter<'a, Written>);

impl<'a> SeqAccess<'a> for Items<'a> {
    type Error = Flaw;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Flaw> {
        self.0
            .next()
            .map(|item| seed.deserialize(Reader(item)))
            .transpose()
    }

    /// A list of one takes the room of one.
    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// Keys and values of a mapping.
struct Entries<'a> {
    left: std::slice::Iter<'a, Entry>,
    value: Option<&'a Written>,
}

impl<'a> MapAccess<'a> for Entries<'a> {
    type Error = Flaw;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Flaw> {
        let Some(entry) = self.left.next() else {
            return Ok(None);
        };
        self.value = Some(&entry.value);
        let key: StrDeserializer<'_, Flaw> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|flaw| Flaw {
            at: flaw.at.or(Some(entry.at)),
            ..flaw
        })
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Flaw> {
        match self.value.take() {
            Some(value) => seed.deserialize(Reader(value)),
            None => Err(de::Error::custom("a value without its key")),
        }
    }
}

/// Line, column and value of a node.
struct Placed<'a> {
    node: &'a Written,
    part: u8,
}

impl<'a> SeqAccess<'a> for Placed<'a> {
    type Error = Flaw;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Flaw> {
        self.part += 1;
        match self.part {
            1 => seed.deserialize(self.node.at.line.into_deserializer()),
            2 => seed.deserialize(self.node.at.column.into_deserializer()),
            _ => seed.deserialize(Reader(self.node)),
        }
        .map(Some)
    }
}

/// One of several words, with what belongs to it.
struct Choice<'a> {
    word: &'a str,
    node: &'a Written,
    value: Option<&'a Written>,
}

impl<'a> EnumAccess<'a> for Choice<'a> {
    type Error = Flaw;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Flaw> {
        let word: StrDeserializer<'_, Flaw> = self.word.into_deserializer();
        Ok((seed.deserialize(word)?, self))
    }
}

impl<'a> VariantAccess<'a> for Choice<'a> {
    type Error = Flaw;

    fn unit_variant(self) -> Result<(), Flaw> {
        match self.value {
            None => Ok(()),
            Some(value) => Err(Reader(value).flaw("nothing")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Flaw> {
        match self.value {
            Some(value) => seed.deserialize(Reader(value)),
            None => Err(Reader(self.node).flaw("a mapping with one key")),
        }
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Flaw> {
        Reader(self.value.unwrap_or(self.node)).list(visitor)
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Flaw> {
        Reader(self.value.unwrap_or(self.node)).map(visitor)
    }
}

#[cfg(test)]
mod tests;
