//! The journal of a delivery: what it carried and when, and whether it is held at an earlier state.
//! Names, versions and times, never a value.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::artifact::SourceVersion;

/// Longest text of a journal, in bytes: its annotation shares the limit of its object.
const LONGEST: usize = 8 << 10;

/// Changed names that an entry lists; the others are counted.
const NAMES: usize = 20;

/// The journal of one delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The state that the delivery is held at, until somebody releases it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Hold>,
    /// Earlier deliveries, the newest first.
    #[serde(default)]
    pub entries: Vec<HistoryEntry>,
}

/// A state that a delivery stays at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Since when.
    pub since: Timestamp,
    /// The pod or machine from which somebody asked for it.
    pub by: String,
    /// The version or commit of each source. A source that is not listed is read in its current
    /// state.
    pub sources: BTreeMap<String, String>,
}

/// One delivery that changed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// The pod or machine that delivered.
    pub by: String,
    /// The sources, in the versions that were read.
    pub sources: Vec<SourceVersion>,
    /// The first names whose values changed; empty where the history began with existing data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// How many more names changed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Journal {
    /// Reads a journal; `None` where the text is none.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The text that is kept: the oldest entries are dropped where it would be too long.
    pub fn text(&self) -> String {
        let mut short = self.clone();
        loop {
            let text = serde_json::json!(short).to_string();
            if text.len() <= LONGEST || short.entries.pop().is_none() {
                return text;
            }
        }
    }

    /// Adds a delivery; `keep` entries stay.
    pub fn add(&mut self, entry: HistoryEntry, keep: usize) {
        self.entries.insert(0, entry);
        self.entries.truncate(keep);
    }

    /// The newest earlier entry whose sources differ from the current ones.
    pub fn previous(&self) -> Option<&HistoryEntry> {
        let (now, earlier) = self.entries.split_first()?;
        earlier.iter().find(|entry| entry.sources != now.sources)
    }

    /// The delivery that was current at a time.
    pub fn at(&self, time: Timestamp) -> Option<&HistoryEntry> {
        self.entries.iter().find(|entry| entry.at <= time)
    }
}

impl HistoryEntry {
    /// An entry for the current delivery, with the names whose values change.
    pub fn new(
        at: Timestamp,
        by: String,
        sources: Vec<SourceVersion>,
        mut changed: Vec<String>,
    ) -> Self {
        let more = changed.len().saturating_sub(NAMES);
        changed.truncate(NAMES);
        Self {
            at,
            by,
            sources,
            changed,
            more,
        }
    }
}

/// Ends the sentence that begins with the delivery's name.
impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("held at ")?;
        let one = self.sources.len() == 1;
        for (number, (source, version)) in self.sources.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            let source = if one { "" } else { &format!("{source} ") };
            write!(f, "{comma}{source}version {}", shortened(version))?;
        }
        write!(f, " since {:.0}", self.since)
    }
}

/// Shortens a commit as people do; a number stays unchanged.
fn shortened(version: &str) -> &str {
    let is_commit = version.len() == 40 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_commit {
        true => &version[..12],
        false => version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(second: i64, versions: &[(&str, &str)]) -> HistoryEntry {
        let source = |(source, version): &(&str, &str)| SourceVersion {
            source: (*source).to_owned(),
            version: Some((*version).to_owned()),
            pinned: false,
        };
        let at = Timestamp::from_second(second).expect("a time");
        let sources = versions.iter().map(source).collect();
        HistoryEntry::new(at, "web-1".to_owned(), sources, vec!["A".to_owned()])
    }

    fn journal(entries: Vec<HistoryEntry>) -> Journal {
        let mut journal = Journal::default();
        entries.into_iter().for_each(|entry| journal.add(entry, 9));
        journal
    }

    #[test]
    fn an_earlier_state_is_found_by_its_place_and_by_its_time() {
        let journal = journal(vec![
            entry(10, &[("vault kv/a", "1")]),
            entry(20, &[("vault kv/a", "2")]),
            entry(30, &[("vault kv/a", "2")]),
        ]);
        let version =
            |entry: Option<&HistoryEntry>| entry.and_then(|one| one.sources[0].version.clone());
        assert_eq!(version(journal.previous()).as_deref(), Some("1"));
        for (second, want) in [(9, None), (10, Some("1")), (19, Some("1")), (99, Some("2"))] {
            let time = Timestamp::from_second(second).expect("a time");
            assert_eq!(version(journal.at(time)).as_deref(), want, "{second}");
        }
        assert_eq!(Journal::default().previous(), None);
    }

    #[test]
    fn a_journal_is_read_back_and_never_too_long() {
        let short = journal(vec![entry(10, &[("vault kv/a", "1")])]);
        assert_eq!(Journal::read(&short.text()), Some(short));
        assert_eq!(Journal::read("{"), None);
        let long = "x".repeat(3000);
        let all = (0..9).map(|second| entry(second, &[(&long, "1")]));
        let text = journal(all.collect()).text();
        assert!(text.len() <= LONGEST);
        let kept = Journal::read(&text).expect("it is one");
        let kept: Vec<i64> = kept.entries.iter().map(|one| one.at.as_second()).collect();
        assert_eq!(kept, [8, 7], "the newest stay");
    }

    #[test]
    fn only_so_many_entries_and_names_are_kept() {
        let mut journal = Journal::default();
        for second in 0..5 {
            journal.add(entry(second, &[("vault kv/a", "1")]), 3);
        }
        assert_eq!(journal.entries.len(), 3);
        let names = (0..25).map(|number| format!("NAME_{number}")).collect();
        let entry = HistoryEntry::new(Timestamp::UNIX_EPOCH, String::new(), Vec::new(), names);
        assert_eq!((entry.changed.len(), entry.more), (20, 5));
    }

    #[test]
    fn a_hold_says_where_and_since_when() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let hold = |sources: &[(&str, &str)]| Hold {
            since: Timestamp::UNIX_EPOCH,
            by: "web-1".to_owned(),
            sources: sources
                .iter()
                .map(|(source, version)| ((*source).to_owned(), (*version).to_owned()))
                .collect(),
        };
        assert_eq!(
            hold(&[("vault kv/a", "3")]).to_string(),
            "held at version 3 since 1970-01-01T00:00:00Z"
        );
        assert_eq!(
            hold(&[("sops file a.env", commit), ("vault kv/a", "3")]).to_string(),
            "held at sops file a.env version 0123456789ab, vault kv/a version 3 since \
             1970-01-01T00:00:00Z"
        );
    }
}
