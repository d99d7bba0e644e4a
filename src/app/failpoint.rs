//! Kill points of the crash tests; nothing in a release build.
//!
//! With the feature `failpoints`, the variable `STRONGROOM_KILL_AT=name:n` ends the process with
//! SIGKILL when it reaches the point `name` for the `n`-th time: no destructor runs and nothing is
//! flushed, as in a crash.

/// Ends the process here if the test asked for it.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn reached(_name: &'static str) {}

/// Ends the process here if the test asked for it.
#[cfg(feature = "failpoints")]
pub fn reached(name: &'static str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let setting = std::env::var("STRONGROOM_KILL_AT").ok()?;
        let (name, nth) = setting.split_once(':')?;
        Some((name.to_owned(), nth.parse().ok()?))
    });
    static REACHED: AtomicU64 = AtomicU64::new(0);

    let Some((wanted, nth)) = &*WANTED else { return };
    if name == wanted && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == *nth {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // SIGKILL to oneself is delivered before the call returns to user code on Linux; wait all
        // the same rather than run on.
        loop {
            std::thread::park();
        }
    }
}
