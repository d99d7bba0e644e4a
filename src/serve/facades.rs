//! The facades of a configuration, as the router takes them.

use crate::config::{CloudflareConfig, FacadesConfig, KeyfactorConfig};
use crate::http::facade::{Facades, cloudflare, keyfactor};

/// Those that are switched on.
pub(super) fn facades(config: &FacadesConfig) -> Facades {
    Facades {
        cloudflare: config.cloudflare.clone().map(|cloudflare| {
            let CloudflareConfig { accounts, zones, public_suffix_rules } = cloudflare;
            cloudflare::Settings { accounts, zones, public_suffix_rules }
        }),
        keyfactor: config.keyfactor.clone().map(|keyfactor| {
            let KeyfactorConfig { tenants, templates, enrollment_patterns } = keyfactor;
            keyfactor::Settings { tenants, templates, enrollment_patterns }
        }),
    }
}
