//! sprig's functions on lists.

use std::rc::Rc;

use super::super::Problem;
use super::super::value::{Buffer, Value};
use super::{Call, Made};
use crate::base::material::SecretBytes;

/// Of one text: each is a text of its own.
const MOST_PARTS: usize = 100_000;

impl<'s, 'a> Call<'s, 'a> {
    pub(super) fn split_list(&self) -> Made<'a> {
        let [separator, text] = self.exactly()?;
        let (separator, text) = (self.text(separator)?, self.text(text)?);
        let count = match separator.is_empty() {
            true => text.len(),
            false => text.len() / separator.len(),
        };
        if count > MOST_PARTS && text.matches(separator).count() > MOST_PARTS {
            return Err(Problem::Excess("100000 items"));
        }
        let part = |part: &str| Value::made(SecretBytes::from(part));
        let parts: Vec<Value<'a>> = if separator.is_empty() {
            text.char_indices()
                .map(|(at, c)| part(&text[at..at + c.len_utf8()]))
                .collect()
        } else {
            text.split(separator).map(part).collect()
        };
        Ok(Value::List(Rc::new(parts)))
    }

    /// A single value is as good as a list of one.
    pub(super) fn join(&self) -> Made<'a> {
        let [separator, items] = self.exactly()?;
        let separator = self.bytes(separator)?;
        let items = if let Value::List(items) = items {
            items.as_slice()
        } else {
            std::slice::from_ref(items)
        };
        let mut buffer = Buffer::default();
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                buffer.push(separator)?;
            }
            self.plain(item, &mut buffer)?;
        }
        Ok(Value::made(buffer.finish()))
    }

    pub(super) fn end_of_list(
        &self,
        end: impl Fn(&'s [Value<'a>]) -> Option<&'s Value<'a>>,
    ) -> Made<'a> {
        let Value::List(items) = self.one()? else {
            return self.wrong("takes a list");
        };
        match end(items) {
            Some(item) => Ok(item.clone()),
            None => self.wrong("takes a list that is not empty"),
        }
    }
}
