//! A small model of a cluster: objects with versions and owners. It tells the index of them and
//! does the jobs of the index.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::super::super::annotations::Dialect;
use super::super::super::glob::{Ceiling, Glob};
use super::super::super::lease_orders::Order;
use super::super::super::metadata::{
    DataOwners, EMBERSTACK, MITTWALD, Metadata, NamespaceMetadata, Notes,
};
use super::super::super::pattern::Matching;
use super::super::super::place::{CopiedKind, ObjectPlace, ResourceVersion, Uid};
use super::super::super::reason::CopyRefusal;
use super::super::super::signature::{Bound, CopyOrigin, Keys, SIGNATURE, SignedStatement};
use super::super::super::{emberstack, marks, mittwald};
use super::super::*;
use crate::base::deletion_brake::Limits;

pub(super) const SECRET: CopiedKind = CopiedKind::Secret;

/// An object as it is stored; one value stands for its whole data.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object {
    pub(super) uid: u128,
    pub(super) version: u64,
    pub(super) notes: BTreeMap<String, String>,
    pub(super) marked: bool,
    pub(super) data: String,
    pub(super) writer: &'static str,
    pub(super) kind: &'static str,
}

pub(super) struct Model {
    pub(super) index: Index,
    pub(super) keys: Arc<Keys>,
    pub(super) objects: BTreeMap<ObjectPlace, Object>,
    pub(super) namespaces: BTreeMap<String, NamespaceMetadata>,
    pub(super) now: Duration,
    /// The actions, each as a word and a place.
    pub(super) log: Vec<String>,
    /// The messages for people.
    pub(super) told: Vec<String>,
    /// A namespace whose watch is half-open: the index does not hear of changes in it.
    pub(super) unheard: Option<&'static str>,
    /// The Lease's annotation of reserved places.
    pub(super) reserved: String,
    next: u64,
}

pub(super) fn rules() -> Rules {
    let globs = |texts: &[&str]| texts.iter().filter_map(|text| Glob::parse(text)).collect();
    Rules {
        dialects: vec![Dialect::Emberstack, Dialect::Mittwald],
        matching: Matching::Whole,
        pull: true,
        repair: true,
        adopt: true,
        sources: Ceiling {
            namespaces: globs(&["*"]),
            exclude: Vec::new(),
        },
        targets: Ceiling {
            namespaces: globs(&["*"]),
            exclude: globs(&["kube-*"]),
        },
        limits: Limits::default(),
        settle: Duration::ZERO,
        namespaces: None,
    }
}

pub(super) fn place(text: &str) -> ObjectPlace {
    let (namespace, name) = text.split_once('/').expect("namespace/name");
    ObjectPlace::new(namespace, name)
}

/// `key=value; key=value` without the dialect's prefix.
pub(super) fn said(text: &str) -> BTreeMap<String, String> {
    let pairs = text
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .map(|(key, value)| {
            let prefix = match key {
                "accept" | "source-uid" => "keyferry.io/",
                key if key.starts_with("repli") => MITTWALD,
                _ => EMBERSTACK,
            };
            (format!("{prefix}{key}"), value.to_owned())
        })
        .collect()
}

/// The usual annotations of a source.
pub(super) const GIVES: &str = "reflection-allowed=true;reflection-auto-enabled=true";

impl Model {
    pub(super) fn new(rules: Rules, namespaces: &str) -> Self {
        let mut model = Self {
            index: Index::new(rules, keys(1)),
            keys: keys(1),
            objects: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            now: Duration::ZERO,
            log: Vec::new(),
            told: Vec::new(),
            unheard: None,
            reserved: String::new(),
            next: 100,
        };
        for name in namespaces.split_whitespace() {
            model.namespace(name, "");
        }
        model.relist();
        model
    }

    /// A list of everything, as after a start or a broken watch.
    pub(super) fn relist(&mut self) {
        self.index.namespaces_begin();
        for namespace in self.namespaces.values().cloned().collect::<Vec<_>>() {
            self.index.apply(Event::Namespace(namespace));
        }
        self.index.namespaces_end();
        for kind in CopiedKind::ALL {
            self.index.list_begins(kind);
            if kind == SECRET {
                for place in self.objects.keys().cloned().collect::<Vec<_>>() {
                    self.index.listed(kind, self.metadata(&place));
                }
            }
            self.index.list_ends(kind, &|_| true, true);
        }
    }

    /// A person writes an order on the Lease.
    pub(super) fn order(&mut self, key: &str, value: &str) {
        let order = Order::parse(key, value).expect("an order");
        self.index.obey(&order, self.now);
    }

    /// A person releases all held copies.
    pub(super) fn release_all(&mut self) {
        let order = Order::ReleaseAll(self.index.held());
        self.index.obey(&order, self.now);
    }

    /// The same cluster, seen by a new process.
    pub(super) fn restart(&mut self, rules: Rules) {
        self.index = Index::new(rules, Arc::clone(&self.keys));
        self.index.recall(&self.reserved);
        self.log.clear();
        self.relist();
        self.settle();
    }

    pub(super) fn namespace(&mut self, name: &str, labels: &str) {
        let labels = labels.split(',').filter_map(|pair| pair.split_once('='));
        let metadata = NamespaceMetadata {
            name: name.to_owned(),
            labels: labels
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            ..NamespaceMetadata::default()
        };
        self.put_namespace(metadata);
    }

    pub(super) fn put_namespace(&mut self, metadata: NamespaceMetadata) {
        self.namespaces
            .insert(metadata.name.clone(), metadata.clone());
        self.index.apply(Event::Namespace(metadata));
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Somebody writes an object; an existing object keeps its uid.
    pub(super) fn put(&mut self, at: &str, notes: &str, data: &str) {
        let number = self.number();
        let old = self.objects.get(&place(at));
        let object = Object {
            uid: old.map_or(u128::from(number), |old| old.uid),
            version: number,
            notes: said(notes),
            marked: false,
            data: data.to_owned(),
            writer: "kubectl",
            kind: "Opaque",
        };
        self.store(place(at), object);
    }

    /// Somebody changes an object.
    pub(super) fn edit(&mut self, at: &str, change: impl FnOnce(&mut Object)) {
        let mut object = self.objects[&place(at)].clone();
        change(&mut object);
        object.version = self.number();
        self.store(place(at), object);
    }

    fn store(&mut self, at: ObjectPlace, object: Object) {
        self.objects.insert(at.clone(), object);
        if self.hears(&at) {
            let metadata = self.metadata(&at);
            self.index.apply(Event::Object(SECRET, metadata));
        }
    }

    fn hears(&self, at: &ObjectPlace) -> bool {
        self.unheard != Some(&*at.namespace)
    }

    pub(super) fn delete(&mut self, at: &str) {
        self.objects.remove(&place(at)).expect("it is there");
        if self.hears(&place(at)) {
            self.index.apply(Event::Gone(SECRET, place(at)));
        }
    }

    pub(super) fn metadata(&self, at: &ObjectPlace) -> Metadata {
        let object = &self.objects[at];
        Metadata {
            namespace: at.namespace.to_string(),
            name: at.name.to_string(),
            uid: uid(object.uid),
            resource_version: version(object.version),
            creation_timestamp: created(object.uid).to_string(),
            ending: false,
            marked: object.marked,
            notes: Notes::from_pairs(&object.notes),
            owners: guard(object.writer),
        }
    }

    /// Does all jobs until none is left.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            match self.index.next(self.now) {
                Next::Job(job) => self.perform(job),
                Next::Busy => {}
                Next::Idle(_) => {
                    let told = self.index.news().into_iter();
                    self.told.extend(told.map(|told| match told.what {
                        NoticeText::Remark(text) => format!("{}: {text}", told.at),
                        NoticeText::Refused(place, refusal) => {
                            format!("{}: {place} {}", told.at, refusal.word())
                        }
                    }));
                    return;
                }
            }
        }
        panic!("it never ends: {:?}", &self.log[self.log.len() - 20..]);
    }

    /// Does all jobs, and gives what was done.
    pub(super) fn done(&mut self) -> String {
        self.log.clear();
        self.settle();
        self.log.join(", ")
    }

    pub(super) fn later(&mut self, seconds: u64) -> String {
        self.now += Duration::from_secs(seconds);
        self.done()
    }

    fn perform(&mut self, job: CopyJob) {
        match job {
            CopyJob::Read { kind, source } => match self.objects.get(&source).cloned() {
                Some(object) => {
                    self.index
                        .apply(Event::Object(kind, self.metadata(&source)));
                    self.index.read(kind, &source, content(&object));
                }
                None => self.index.unread(kind, &source, "absent", self.now),
            },
            CopyJob::Compare { kind, place, .. } => match self.objects.get(&place).cloned() {
                Some(object) => {
                    self.log.push(format!("compare {place}"));
                    let (version, digest) = (version(object.version), digest(&object));
                    self.index.compared(kind, &place, version, digest, self.now);
                }
                None => self.index.failed(kind, &place, None, self.now),
            },
            CopyJob::Delete {
                kind,
                place,
                uid: of,
                reason,
                ..
            } => {
                let object = self.objects.remove(&place).expect("a copy that is there");
                assert_eq!(uid(object.uid), of, "only the object that was decided on");
                self.log.push(format!("delete {place} ({reason})"));
                self.index.deleted(kind, &place);
                self.index.apply(Event::Gone(kind, place));
            }
            CopyJob::Remember { change, text } => {
                self.reserved = text;
                self.index.remembered(change, true, self.now);
            }
            CopyJob::Write(write) => self.write(&write),
        }
    }

    fn write(&mut self, write: &Write) {
        let place = write.place.clone();
        let source = self.objects.get(&write.source).cloned();
        let meant = (write.source_uid, write.source_version);
        let source = match source {
            Some(source) if (uid(source.uid), version(source.version)) == meant => source,
            Some(_) => {
                let metadata = self.metadata(&write.source);
                self.index.apply(Event::Object(write.kind, metadata));
                return self.index.raced(write.kind, &place, self.now);
            }
            None => {
                let gone = Event::Gone(write.kind, write.source.clone());
                self.index.apply(gone);
                return self.index.raced(write.kind, &place, self.now);
            }
        };
        let old = self.objects.get(&place).cloned();
        let basis = match (write.how, &old) {
            (How::Create, None) => true,
            (How::Update(of, at) | How::Adopt(of, at) | How::Fill(of, at), Some(old)) => {
                uid(old.uid) == of && version(old.version) == at
            }
            _ => false,
        };
        if !basis {
            self.log.push(format!("refused {place}"));
            return self.index.refused(write.kind, &place, CopyRefusal::Foreign);
        }
        let number = self.number();
        let fills = matches!(write.how, How::Fill(..));
        let mut notes = old
            .as_ref()
            .map(|old| old.notes.clone())
            .unwrap_or_default();
        let holds = version(source.version);
        let own = match write.dialect {
            Dialect::Emberstack => emberstack::written(&write.source, holds, "t", !fills),
            Dialect::Mittwald => mittwald::written(&write.source, holds, "t", &["k"], !fills),
        };
        notes.extend(own.into_iter().map(|(key, value)| (key.to_owned(), value)));
        notes.insert(marks::SOURCE_UID.to_owned(), write.source_uid.to_string());
        if !fills {
            let signature = self.signature(write, holds, number);
            notes.insert(SIGNATURE.to_owned(), signature);
        }
        let object = Object {
            uid: old.map_or(u128::from(number), |old| old.uid),
            version: number,
            notes,
            marked: !fills,
            data: source.data.clone(),
            writer: "keyferry",
            kind: "Opaque",
        };
        let verb = match write.how {
            How::Create => "create",
            How::Update(..) => "update",
            How::Adopt(..) => "adopt",
            How::Fill(..) => "fill",
        };
        self.log.push(format!("{verb} {place} ({})", write.reason));
        let written = Written {
            uid: uid(object.uid),
            version: version(number),
            holds,
            digest: digest(&object),
            guard: guard("keyferry"),
        };
        // Sometimes the watch is quicker than the answer, sometimes not.
        if number.is_multiple_of(2) {
            self.store(place.clone(), object);
            self.index.wrote(write, &written, self.now);
        } else {
            self.index.wrote(write, &written, self.now);
            self.store(place.clone(), object);
        }
    }

    /// A signature like that of the reflector.
    fn signature(&self, write: &Write, holds: ResourceVersion, number: u64) -> String {
        let bound = match write.how {
            How::Create => Bound::Created(created(u128::from(number)).as_second()),
            How::Update(uid, _) | How::Adopt(uid, _) | How::Fill(uid, _) => Bound::Object(uid),
        };
        let statement = SignedStatement {
            kind: write.kind,
            namespace: &write.place.namespace,
            name: &write.place.name,
            origin: CopyOrigin::Object(&write.source, write.source_uid, holds),
        };
        self.keys.sign(&statement, bound).expect("a key")
    }

    /// Places of our copies, with their content.
    pub(super) fn copies(&self) -> String {
        let copies = self.objects.iter().filter(|(_, object)| object.marked);
        let copies: Vec<String> = copies
            .map(|(place, object)| format!("{place}={}", object.data))
            .collect();
        copies.join(" ")
    }
}

/// This many keys; the last one signs.
pub(super) fn keys(count: usize) -> Arc<Keys> {
    let key = |number: usize| (format!("k{number}"), vec![number as u8; 32].into());
    let keys = Keys::read(place("keyferry/keyferry-marks"), (0..count).map(key));
    Arc::new(keys.expect("they are long enough"))
}

/// When an object was made: one hour after the object before.
fn created(number: u128) -> jiff::Timestamp {
    let hours = i64::try_from(number).expect("few objects");
    jiff::Timestamp::from_second(hours * 3600).expect("a time")
}

fn uid(number: u128) -> Uid {
    let digits = format!("{number:032x}");
    Uid::parse(&format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    ))
}

fn version(number: u64) -> ResourceVersion {
    ResourceVersion::parse(&number.to_string())
}

fn guard(writer: &str) -> DataOwners {
    if writer == "keyferry" {
        return DataOwners::ours([("data", "k")]);
    }
    let entry = format!(
        r#"[{{"manager":"{writer}","operation":"Update","fieldsV1":{{"f:data":{{"f:k":{{}}}}}}}}]"#
    );
    serde_json::from_str(&entry).expect("an entry")
}

pub(super) fn digest(object: &Object) -> Digest {
    let mut hasher = DefaultHasher::new();
    (&object.data, object.kind).hash(&mut hasher);
    Digest(hasher.finish())
}

pub(super) fn content(object: &Object) -> Content {
    let forbidden: HashMap<&str, bool> = [("helm.sh/release.v1", true)].into();
    Content {
        version: version(object.version),
        digest: digest(object),
        guard: guard("keyferry"),
        forbidden: forbidden.get(object.kind).map(|_| object.kind.to_owned()),
        urgent: false,
    }
}
