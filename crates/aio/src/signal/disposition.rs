//! What a signal does when nobody listens for it any more: what it did before anybody did.
//!
//! A handler that was once installed stays, for the rest of the program's life. So that a signal nobody listens for
//! does not just vanish, a second action stands behind each: the default one, if its flag says so.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::{SigId, flag, low_level};

static DISPOSITIONS: Mutex<BTreeMap<i32, Disposition>> = Mutex::new(BTreeMap::new());

struct Disposition {
    listeners: usize,
    /// Read by the signal's handler: whether the default action is taken. SeqCst, as the handler reads it.
    by_default: Arc<AtomicBool>,
    /// An action of `run`: the first signal sets `by_default` for the next one.
    once: Option<SigId>,
}

fn dispositions() -> MutexGuard<'static, BTreeMap<i32, Disposition>> {
    DISPOSITIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn of(dispositions: &mut BTreeMap<i32, Disposition>, signal: i32) -> &mut Disposition {
    dispositions.entry(signal).or_insert_with(|| {
        let by_default = Arc::new(AtomicBool::new(false));
        // Fails for a signal whose default action is not known here, such as a real-time one; that one is ignored when
        // nobody listens any more.
        let _ = flag::register_conditional_default(signal, by_default.clone());
        Disposition {
            listeners: 0,
            by_default,
            once: None,
        }
    })
}

/// While it lives, the signal does not do by default what it does.
pub(super) struct Listening {
    signal: i32,
}

impl Listening {
    /// Takes the signal over, from `run` too.
    pub(super) fn begin(signal: i32) -> Self {
        let mut dispositions = dispositions();
        let disposition = of(&mut dispositions, signal);
        disposition.listeners += 1;
        if let Some(once) = disposition.once.take() {
            low_level::unregister(once);
        }
        disposition.by_default.store(false, Ordering::SeqCst);
        Listening { signal }
    }

    /// Until the program ends.
    pub(super) fn for_good(self) {
        std::mem::forget(self);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut dispositions = dispositions();
        let disposition = of(&mut dispositions, self.signal);
        disposition.listeners -= 1;
        if disposition.listeners == 0 {
            disposition.by_default.store(true, Ordering::SeqCst);
        }
    }
}

/// While it lives, the signal's first coming is heard, and its second does what it does by default.
pub(super) struct Once {
    signal: i32,
    id: SigId,
}

impl Once {
    /// `None` when the signal is listened for already.
    pub(super) fn begin(signal: i32) -> io::Result<Option<Self>> {
        let mut dispositions = dispositions();
        let disposition = of(&mut dispositions, signal);
        if disposition.listeners > 0 || disposition.once.is_some() {
            return Ok(None);
        }
        disposition.by_default.store(false, Ordering::SeqCst);
        // Registered after the default action, so that it runs after it: the first signal passes that one by.
        let id = flag::register(signal, disposition.by_default.clone())?;
        disposition.once = Some(id);
        Ok(Some(Once { signal, id }))
    }

    /// Whether nobody has taken the signal over since.
    pub(super) fn holds(&self) -> bool {
        let mut dispositions = dispositions();
        of(&mut dispositions, self.signal).once == Some(self.id)
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        let mut dispositions = dispositions();
        let disposition = of(&mut dispositions, self.signal);
        if disposition.once == Some(self.id) {
            disposition.once = None;
            low_level::unregister(self.id);
            disposition.by_default.store(true, Ordering::SeqCst);
        }
    }
}
