//! The use cases: the only place where the domain, the token and the index meet.
//!
//! - [`access`]: principals, their credentials and grants, tenants
//! - [`audit`]: the audit log: read, checked, started anew; refusals
//! - [`authorities`]: certification authorities whose keys are in the token
//! - [`produce`]: from a wish to a verified CSR, with the journal around the token
//! - [`templates`]: which issuing template judges a wish; `four_eyes`: who may decide for whom
//! - [`idempotency`]: a create that is sent twice makes one key
//! - [`marry`]: the certificate comes back; `certificate_objects`: and is written to the token
//! - [`keys`]: what becomes of keys; [`key_life`]: retired, compromised, destroyed in their time
//! - `notices`: what others are told by webhook
//! - [`reconcile`]: the journal against the token, at start and every 5 minutes
//! - [`probe`]: whether a token may be used at all
//! - [`proposals`]: operations under four eyes; `wipe`: those on a whole token
//! - `backup`: the index, copied while it is in use; [`measure`]: what monitoring is told
//! - [`watch`]: the sentinel key, readiness, and when to reconcile
//!
//! It knows nothing of HTTP or the command line.

pub mod access;
pub mod audit;
pub mod authorities;
mod backup;
mod caller;
pub mod certificate_objects;
mod error;
pub mod failpoint;
mod four_eyes;
pub mod idempotency;
pub mod key_life;
pub mod keys;
pub mod marry;
pub mod measure;
mod notices;
pub mod probe;
pub mod produce;
pub mod proposals;
pub mod reconcile;
pub mod restored;
mod system;
pub mod templates;
pub mod tokens;
mod transition;
pub mod watch;
mod wipe;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub use caller::Caller;
pub use error::{Error, Kind};
pub use system::SystemClock;

use crate::domain::clock::{Clock, Timestamp};
use crate::domain::id::{Handle, KeyId};
use crate::domain::template::Templates;
use crate::hsm::Hsm;
use crate::store::Store;
// What use cases take and answer, so that the surfaces need not know the rings below.
pub use crate::hsm::{KindProbe, Outcome, SlotInfo, Token, TokenInfo, TokenStatus};
pub use crate::store::{
    Answer, Approval, AuditFilter, AuthorityCertificate, Certificate, CrlFacts, NumberedFilter, NumberedPage,
    Order, Page, RequestFilter, Snapshot, Sorting,
};
use audit::{AuditKey, Refusals};
use authorities::AuthorityRules;
use idempotency::InFlight;
use key_life::{LifeRules, Unrecorded};
use produce::{Drivers, Places};
use proposals::FourEyes;
use templates::{InForce, TemplateRules};
use tokens::TokenRules;
use watch::Health;

/// The application: cheap to clone, shared by every surface.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// One lock for each token, by its configured name.
type Turns = BTreeMap<String, tokio::sync::Mutex<()>>;

struct Parts {
    store: Store,
    audit_key: AuditKey,
    refusals: Refusals,
    hsm: Hsm,
    clock: Arc<dyn Clock>,
    /// Token used when a request names none.
    default_token: Option<String>,
    rules: BTreeMap<String, TokenRules>,
    life: LifeRules,
    unrecorded: Unrecorded,
    /// Held while a token is reconciled: by its watch, or because an operator asks for it.
    reconciling: Turns,
    /// Held while an operator has a token probed: a create waits for one throw-away key at the most.
    probing: Turns,
    templates: InForce,
    template_rules: TemplateRules,
    four_eyes: FourEyes,
    authorities: AuthorityRules,
    work: authorities::Work,
    key_quotas: BTreeMap<String, usize>,
    places: Places,
    drivers: Drivers,
    in_flight: InFlight,
    health: Health,
    counted: measure::Counted,
    /// Counts the changes of who may do what.
    access_version: AtomicU64,
    /// Changes when the watch over the tokens should look again at once.
    attention: tokio::sync::watch::Sender<()>,
}

/// What the configuration says of how things are done.
#[derive(Clone, Debug)]
pub struct Rules {
    /// By the name of the token.
    pub tokens: BTreeMap<String, TokenRules>,
    /// The issuing templates, as they are at the start.
    pub templates: Templates,
    /// Which of them judges a request that names none.
    pub template_rules: TemplateRules,
    /// What needs another pair of eyes.
    pub four_eyes: FourEyes,
    /// What becomes of keys and certificates in their time.
    pub life: LifeRules,
    /// How authorities issue.
    pub authorities: AuthorityRules,
    /// How many keys a tenant may have, by its name; as many as the tokens take when absent.
    pub key_quotas: BTreeMap<String, usize>,
}

impl App {
    /// The application over an open index and started tokens.
    /// Does nothing until asked; [`App::watch_tokens`] starts the sentinel and the reconciler.
    pub fn new(
        store: Store,
        audit_key: AuditKey,
        hsm: Hsm,
        clock: Arc<dyn Clock>,
        default_token: Option<String>,
        rules: Rules,
    ) -> Self {
        let turns =
            || hsm.tokens().map(|token| (token.name().to_owned(), tokio::sync::Mutex::default())).collect();
        let (reconciling, probing) = (turns(), turns());
        Self(Arc::new(Parts {
            store,
            audit_key,
            refusals: Refusals::default(),
            hsm,
            clock,
            default_token,
            rules: rules.tokens,
            templates: InForce::new(rules.templates),
            template_rules: rules.template_rules,
            four_eyes: rules.four_eyes,
            authorities: rules.authorities,
            work: authorities::Work::default(),
            life: rules.life,
            key_quotas: rules.key_quotas,
            places: Places::default(),
            unrecorded: Unrecorded::default(),
            reconciling,
            probing,
            drivers: Drivers::default(),
            in_flight: InFlight::default(),
            health: Health::default(),
            counted: measure::Counted::default(),
            access_version: AtomicU64::new(0),
            attention: tokio::sync::watch::Sender::new(()),
        }))
    }

    /// Has the watch over the tokens look again at once.
    fn look_again(&self) {
        self.0.attention.send_replace(());
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn new_handle(&self) -> Result<Handle, Error> {
        Ok(Handle::new(self.now(), system::random()?))
    }

    fn new_key_id(&self) -> Result<KeyId, Error> {
        Ok(KeyId::new(self.0.store.installation(), system::random()?))
    }

    fn rules(&self, token: &str) -> TokenRules {
        self.0.rules.get(token).copied().unwrap_or_default()
    }

    /// A configured token by name. A row of the index may name one that is no longer configured.
    fn token(&self, name: &str) -> Result<Token, Error> {
        self.0.hsm.token(name).ok_or_else(|| {
            Error::new(
                Kind::Unavailable,
                "hsm.token-not-configured",
                format!("token `{name}` is not in the configuration; add [tokens.{name}] to use its keys"),
            )
        })
    }
}
