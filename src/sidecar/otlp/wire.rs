//! Messages of protobuf, described once: the number and the name of a field stand together, so the
//! binary form and the JSON form of OTLP cannot differ.

use serde_json::{Map, Value, json};

use crate::base::coding::hex;

/// Wire types of the protocol.
const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const LENGTH: u64 = 2;

/// What a field holds.
pub(super) enum WireField {
    /// `string`.
    Text(String),
    /// `double`.
    Double(f64),
    /// `fixed64`.
    Fixed(u64),
    /// An enum's number.
    Enum(u64),
    /// `bool`.
    Truth(bool),
    /// `bytes` that are an id: OTLP writes these as hex in JSON.
    Id(Vec<u8>),
    /// A message.
    One(Message),
    /// `repeated`, of messages.
    Many(Vec<Message>),
}

/// Fields by number and name, in the order of writing.
#[derive(Default)]
pub(super) struct Message(Vec<(u64, &'static str, WireField)>);

impl Message {
    /// The same message with one more field.
    pub(super) fn with(mut self, number: u64, name: &'static str, field: WireField) -> Self {
        self.0.push((number, name, field));
        self
    }

    /// The binary form.
    pub(super) fn protobuf(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, _, field) in &self.0 {
            match field {
                WireField::Text(text) => delimited(&mut out, *number, text.as_bytes()),
                WireField::Id(bytes) => delimited(&mut out, *number, bytes),
                WireField::Double(value) => eight(&mut out, *number, value.to_bits()),
                WireField::Fixed(value) => eight(&mut out, *number, *value),
                WireField::Enum(value) => number_of(&mut out, *number, *value),
                WireField::Truth(value) => number_of(&mut out, *number, u64::from(*value)),
                WireField::One(message) => delimited(&mut out, *number, &message.protobuf()),
                WireField::Many(messages) => {
                    for message in messages {
                        delimited(&mut out, *number, &message.protobuf());
                    }
                }
            }
        }
        out
    }

    /// The JSON form.
    pub(super) fn json(&self) -> Value {
        let fields = self.0.iter().map(|(_, name, field)| {
            let value = match field {
                WireField::Text(text) => json!(text),
                WireField::Double(value) => json!(value),
                // 64-bit numbers are text in this form.
                WireField::Fixed(value) => json!(value.to_string()),
                WireField::Enum(value) => json!(value),
                WireField::Truth(value) => json!(value),
                WireField::Id(bytes) => json!(hex::encode(bytes)),
                WireField::One(message) => message.json(),
                WireField::Many(messages) => messages.iter().map(Self::json).collect(),
            };
            ((*name).to_owned(), value)
        });
        Value::Object(fields.collect::<Map<_, _>>())
    }
}

fn number_of(out: &mut Vec<u8>, number: u64, value: u64) {
    varint(out, number << 3 | VARINT);
    varint(out, value);
}

fn eight(out: &mut Vec<u8>, number: u64, bits: u64) {
    varint(out, number << 3 | EIGHT_BYTES);
    out.extend(bits.to_le_bytes());
}

fn delimited(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | LENGTH);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// Seven bits per byte, the low ones first; the eighth bit means that more bytes follow.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_by_seven_bits() {
        let rows: &[(u64, &[u8])] = &[
            (0, &[0]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (u64::MAX, &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        ];
        for (value, want) in rows {
            let mut out = Vec::new();
            varint(&mut out, *value);
            assert_eq!(out, *want, "{value}");
        }
    }
}
