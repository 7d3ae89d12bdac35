//! Reads the written tree into the shapes of the configuration: strict about types, and each error
//! with its place.
//!
//! This replaces the YAML library's reader, whose code is generated for each shape: that code was
//! an eighth of the binary.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::problem::flaw::{Flaw, Shape};
use super::tree::{Entry, What, Written};

/// The name under which [`super::located::At`] asks for line, column and value.
pub(super) const AT: &str = "$at";

/// Text of a value that cannot be read. It is no valid variable, so filling it in fails, and no
/// second problem is reported at this place.
const HOLE: &str = "${";

/// One node, to be read as some type.
pub(super) struct Reader<'a>(pub(super) &'a Written);

impl<'a> Reader<'a> {
    fn flaw(&self, shape: Shape, expected: &str, hint: &str) -> Flaw {
        Flaw::shape(self.0.at, shape, expected, hint)
    }

    fn one_key(&self, expected: &str) -> Flaw {
        self.flaw(Shape::Other, expected, "write one key and its value")
    }

    /// Adds this place to an error without a place.
    fn here<T>(&self, read: Result<T, Flaw>) -> Result<T, Flaw> {
        read.map_err(|flaw| Flaw {
            at: flaw.at.or(Some(self.0.at)),
            ..flaw
        })
    }

    fn text(&self) -> Result<&'a str, Flaw> {
        match &self.0.what {
            What::Scalar { text, .. } if !self.0.is_null() => Ok(text),
            What::Hole => Ok(HOLE),
            What::Scalar { .. } | What::List(_) | What::Map(_) => {
                Err(self.flaw(Shape::Other, "one text", "write one text"))
            }
        }
    }

    fn number<T: std::str::FromStr>(&self, expected: &str) -> Result<T, Flaw> {
        let wrong = || self.flaw(Shape::Other, expected, "write a number, without quotes");
        match &self.0.what {
            What::Scalar { text, plain: true } => text.parse().map_err(|_| wrong()),
            What::Hole => "1".parse().map_err(|_| wrong()),
            What::Scalar { .. } | What::List(_) | What::Map(_) => Err(wrong()),
        }
    }

    fn list<V: Visitor<'a>>(&self, visitor: V) -> Result<V::Value, Flaw> {
        let items = match &self.0.what {
            What::List(items) => items.as_slice(),
            What::Hole => &[],
            What::Scalar { .. } | What::Map(_) => {
                let hint = "begin each entry with `- `, or put `[ ]` around them";
                return Err(self.flaw(Shape::List, "a list (`[a, b]`)", hint));
            }
        };
        self.here(visitor.visit_seq(Items(items.iter())))
    }

    /// A mapping; for a hole, a mapping with all these keys.
    fn map<V: Visitor<'a>>(
        &self,
        visitor: V,
        keys: &'static [&'static str],
    ) -> Result<V::Value, Flaw> {
        match &self.0.what {
            What::Map(entries) => {
                let entries = Entries {
                    left: entries.iter(),
                    value: None,
                };
                self.here(visitor.visit_map(entries))
            }
            What::Hole => self.here(visitor.visit_map(Keys {
                left: keys.iter(),
                node: self.0,
            })),
            What::Scalar { .. } | What::List(_) => {
                let key = keys.first().copied().unwrap_or("NAME");
                let hint = format!("write it as `{{{key}: …}}`");
                Err(self.flaw(Shape::Other, "a mapping (`key: value`)", &hint))
            }
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
            What::Map(_) => self.map(visitor, &[]),
            What::Hole => self.here(visitor.visit_str(HOLE)),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Flaw> {
        let value = match &self.0.what {
            What::Scalar { text, plain: true } if text == "true" => true,
            What::Scalar { text, plain: true } if text == "false" => false,
            What::Hole => false,
            What::Scalar { .. } | What::List(_) | What::Map(_) => {
                let hint = "write true or false, without quotes";
                return Err(self.flaw(Shape::Truth, "true or false", hint));
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
        self.map(visitor, &[])
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Flaw> {
        self.map(visitor, keys)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Flaw> {
        let choice = match &self.0.what {
            What::Hole => Choice {
                word: words.first().copied().unwrap_or_default(),
                node: self.0,
                value: None,
            },
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
                _ => return Err(self.one_key("a mapping with exactly one key")),
            },
            What::List(_) => return Err(self.one_key("a word or a mapping with one key")),
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

    /// The exact size, so that a list of one item allocates room for one.
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
            None => Err(Flaw::custom("a value without its key")),
        }
    }
}

/// All keys of a mapping whose values cannot be read.
struct Keys<'a> {
    left: std::slice::Iter<'static, &'static str>,
    node: &'a Written,
}

impl<'a> MapAccess<'a> for Keys<'a> {
    type Error = Flaw;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Flaw> {
        let next = self.left.next();
        next.map(|key| {
            let key: StrDeserializer<'_, Flaw> = (*key).into_deserializer();
            seed.deserialize(key)
        })
        .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Flaw> {
        seed.deserialize(Reader(self.node))
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

/// One of several words, with its content.
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
            Some(value) => Err(Reader(value).flaw(Shape::Other, "nothing", "remove this")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Flaw> {
        match self.value {
            Some(value) => seed.deserialize(Reader(value)),
            None => Err(Reader(self.node).one_key("a mapping with one key")),
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
        Reader(self.value.unwrap_or(self.node)).map(visitor, &[])
    }
}

#[cfg(test)]
mod tests;
