//! The templates that there are, at one time.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Template;

/// Templates by name. Cheap to clone: a snapshot, so that a request is judged by one state of the
/// files though they are read again meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Templates(Arc<BTreeMap<String, Arc<Template>>>);

impl Templates {
    /// The template of that name, whoever's it is.
    pub fn get(&self, name: &str) -> Option<&Arc<Template>> {
        self.0.get(name)
    }

    /// The template of that name if the tenant may use it: its own, or one that is nobody's.
    pub fn for_tenant(&self, tenant: &str, name: &str) -> Option<&Arc<Template>> {
        self.get(name).filter(|template| template.is_usable_by(tenant))
    }

    /// Every template, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Template>> {
        self.0.values()
    }
}

impl Template {
    /// Whether a tenant may use it.
    pub fn is_usable_by(&self, tenant: &str) -> bool {
        self.tenant.as_deref().is_none_or(|owner| owner == tenant)
    }
}

impl FromIterator<Template> for Templates {
    /// Of two with one name the later counts.
    fn from_iter<I: IntoIterator<Item = Template>>(templates: I) -> Self {
        let by_name = templates.into_iter().map(|template| (template.name.clone(), Arc::new(template)));
        Self(Arc::new(by_name.collect()))
    }
}
