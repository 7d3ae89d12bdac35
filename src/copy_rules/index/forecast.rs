//! The same decisions, but nothing is done: each write and deletion is noted and assumed to
//! succeed, so that the next decision is the same as in a real run.
//!
//! Time stands still until nothing is left to decide, and then jumps to the moment when the brake
//! judges. The caller reads what a decision needs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::metadata::Metadata;
use super::super::place::{CopiedKind, ObjectPlace, ResourceVersion};
use super::super::planned_copies::{Act, Foreseen, Foresight, Outlook};
use super::super::reason::CopyRefusal;
use super::super::signature::Keys;
use super::decide::Decision;
use super::objects::CopyObject;
use super::{CopyJob, Event, How, Index, IndexNotice, Next, NoticeText, Rules, Write, Written};

/// The brake judges long before this; anything due later only repeats a failed attempt.
const HORIZON: Duration = Duration::from_secs(60);

/// A forecast; see the module.
#[derive(Debug)]
pub struct Forecast {
    /// The index that the lists are given to.
    pub index: Index,
    now: Duration,
    due: Option<Duration>,
    /// All names that exist: a copy is never written over an object that the index does not know.
    taken: HashSet<(CopiedKind, ObjectPlace)>,
    /// Objects that could not be read, and why. They are not read again.
    given_up: HashMap<(CopiedKind, ObjectPlace), String>,
    steps: BTreeMap<(CopiedKind, ObjectPlace), (Option<ObjectPlace>, Act)>,
}

impl Forecast {
    /// A forecast with an empty index, which must then be given the lists.
    pub fn new(rules: Rules, keys: Arc<Keys>) -> Self {
        Self {
            index: Index::new(rules, keys),
            now: Duration::ZERO,
            due: None,
            taken: HashSet::new(),
            given_up: HashMap::new(),
            steps: BTreeMap::new(),
        }
    }

    /// Takes in one object of a list.
    pub fn listed(&mut self, kind: CopiedKind, metadata: Metadata) {
        let place = self.index.place(&metadata.namespace, &metadata.name);
        self.taken.insert((kind, place));
        self.index.listed(kind, metadata);
    }

    /// The time that the index is told.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// The next object that must be read before more can be decided: a source, a copy, or an object
    /// that a copy would replace. Nothing: jobs that were given out must be answered first, or
    /// [`Forecast::wait`] must let time pass.
    pub fn next_read(&mut self) -> Option<CopyJob> {
        loop {
            match self.index.next(self.now) {
                Next::Busy => {}
                Next::Idle(due) => {
                    self.due = due;
                    return None;
                }
                Next::Job(CopyJob::Delete {
                    kind,
                    place,
                    reason,
                    ..
                }) => {
                    self.foresee_write(kind, &place, Act::Delete(reason));
                    self.index.deleted(kind, &place);
                    self.index.apply(Event::Gone(kind, place));
                }
                Next::Job(CopyJob::Remember { change, .. }) => {
                    self.index.remembered(change, true, self.now);
                }
                Next::Job(CopyJob::Write(write)) => match write.how {
                    How::Create if self.is_foreign(&write) => {
                        self.index
                            .refused(write.kind, &write.place, CopyRefusal::Foreign);
                    }
                    How::Create => self.granted(&write, Act::Create(write.reason)),
                    How::Fill(..) => self.granted(&write, Act::Fill(write.reason)),
                    How::Update(..) | How::Adopt(..) => return Some(CopyJob::Write(write)),
                },
                Next::Job(job) => match self.given_up.get(&subject(&job)).cloned() {
                    Some(why) => self.give_up(&job, why),
                    None => return Some(job),
                },
            }
        }
    }

    /// Lets time pass when no job is under way; says whether there may be more jobs then.
    pub fn wait(&mut self) -> bool {
        match self.due.take().filter(|due| *due <= HORIZON) {
            Some(due) => {
                self.now = self.now.max(due);
                true
            }
            None => false,
        }
    }

    /// Takes in what stands at the place where this copy would be written.
    pub fn looked(&mut self, write: &Write, outlook: Outlook) {
        let act = match write.how {
            How::Adopt(..) => Act::Adopt(write.reason, outlook),
            How::Create | How::Update(..) | How::Fill(..) => Act::Update(write.reason, outlook),
        };
        self.granted(write, act);
    }

    /// An object of a job could not be read.
    pub fn give_up(&mut self, job: &CopyJob, why: String) {
        let (kind, place) = subject(job);
        match job {
            CopyJob::Read { source, .. } => self.index.unread(kind, source, &why, self.now),
            CopyJob::Write(_)
            | CopyJob::Compare { .. }
            | CopyJob::Delete { .. }
            | CopyJob::Remember { .. } => {
                self.index.failed(kind, &place, Some(why.clone()), self.now);
            }
        }
        self.given_up.insert((kind, place), why);
    }

    /// Whether a foreign object is in the way: all other objects are in the index.
    fn is_foreign(&self, write: &Write) -> bool {
        let gone = matches!(
            self.steps.get(&(write.kind, write.place.clone())),
            Some((_, Act::Delete(_)))
        );
        !gone && self.taken.contains(&(write.kind, write.place.clone()))
    }

    /// Notes a write as if it had succeeded: the copy has the content of its source.
    fn granted(&mut self, write: &Write, act: Act) {
        let source = self.index.objects(write.kind).sources.get(&write.source);
        let content = source.and_then(|source| source.content.clone());
        let source = Some(write.source.clone());
        self.steps
            .insert((write.kind, write.place.clone()), (source, act));
        let Some(content) = content else {
            return;
        };
        let (uid, version) = match write.how {
            How::Create => (write.source_uid, ResourceVersion::default()),
            How::Update(uid, version) | How::Adopt(uid, version) | How::Fill(uid, version) => {
                (uid, version)
            }
        };
        let written = Written {
            uid,
            version,
            holds: content.version,
            digest: content.digest,
            guard: content.guard,
        };
        self.index.wrote(write, &written, self.now);
    }

    fn foresee_write(&mut self, kind: CopiedKind, place: &ObjectPlace, act: Act) {
        let source = self.source(kind, place);
        self.steps.insert((kind, place.clone()), (source, act));
    }

    fn source(&self, kind: CopiedKind, place: &ObjectPlace) -> Option<ObjectPlace> {
        let standing = self.index.objects(kind).standing(place);
        let from = standing.and_then(|standing| standing.from.clone());
        from.or_else(|| self.index.claims(kind, place).asker().cloned())
    }

    /// The result of the forecast.
    pub fn finish(mut self) -> Foresight {
        let mut remarks = Vec::new();
        let mut rivals = Vec::new();
        for IndexNotice { kind, at, what } in self.index.news() {
            match what {
                NoticeText::Remark(what) => remarks.push((kind, at, what)),
                NoticeText::Refused(_, refusal @ CopyRefusal::Taken(_)) => {
                    rivals.push((kind, at, refusal))
                }
                NoticeText::Refused(..) => {}
            }
        }
        let mut kept = 0;
        for kind in CopiedKind::ALL {
            let refused = self.index.objects(kind).refused.clone();
            for (place, refusal) in refused {
                let step = self.steps.get(&(kind, place.clone()));
                if let Some((_, Act::Delete(_))) = step {
                    // The copy is deleted, and then another source asks for its place.
                    let claims = self.index.claims(kind, &place);
                    let asker = claims.asker().cloned().unwrap_or(place);
                    rivals.push((kind, asker, refusal));
                    continue;
                }
                let act = self.left(kind, &place, refusal);
                self.foresee_write(kind, &place, act);
            }
            let rest = self.index.objects(kind).all_standing();
            let rest = rest.filter(|(place, _)| !self.steps.contains_key(&(kind, place.clone())));
            let rest: Vec<(ObjectPlace, bool)> = rest
                .filter(|(place, standing)| !self.is_ending(place, standing))
                .map(|(place, standing)| (place, standing.marked || standing.mirror))
                .collect();
            for (place, is_right) in rest {
                match is_right {
                    true => kept += 1,
                    false => {
                        let act = self.unclaimed(kind, &place);
                        self.foresee_write(kind, &place, act);
                    }
                }
            }
        }
        let steps = self.steps.into_iter();
        Foresight {
            steps: steps
                .map(|((kind, place), (source, act))| Foreseen {
                    kind,
                    place,
                    source,
                    act,
                })
                .collect(),
            kept,
            remarks,
            rivals,
            failures: Vec::new(),
        }
    }

    fn left(&self, kind: CopiedKind, place: &ObjectPlace, refusal: CopyRefusal) -> Act {
        if !matches!(refusal, CopyRefusal::Brake(_)) {
            return Act::Leave(refusal);
        }
        let reason = match self.index.decide(kind, place) {
            Decision::Delete(reason) => Some(reason),
            Decision::Nothing
            | Decision::Wait(_)
            | Decision::Compare(_)
            | Decision::Write(_)
            | Decision::Refuse(_) => None,
        };
        Act::Hold(reason, refusal)
    }

    fn unclaimed(&self, kind: CopiedKind, place: &ObjectPlace) -> Act {
        let from = self.source(kind, place);
        let source = from.and_then(|from| self.index.objects(kind).sources.get(&from));
        match source.is_some_and(|source| source.offer.frozen) {
            true => Act::Leave(CopyRefusal::Unclear),
            false => Act::Unclaimed,
        }
    }

    fn is_ending(&self, place: &ObjectPlace, standing: &CopyObject) -> bool {
        let namespace = self.index.namespaces.get(&place.namespace);
        standing.ending || namespace.is_none_or(|namespace| namespace.ending)
    }
}

/// The place that a job is about; a source and a copy never have the same place.
fn subject(job: &CopyJob) -> (CopiedKind, ObjectPlace) {
    match job {
        // A forecast assumes that this job succeeds.
        CopyJob::Remember { .. } => (CopiedKind::Secret, ObjectPlace::new("", "")),
        CopyJob::Read { kind, source } => (*kind, source.clone()),
        CopyJob::Write(write) => (write.kind, write.place.clone()),
        CopyJob::Compare { kind, place, .. } | CopyJob::Delete { kind, place, .. } => {
            (*kind, place.clone())
        }
    }
}
