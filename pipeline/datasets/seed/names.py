"""Names of technologies for the `seed` generator: well-known ones, then made-up vendors and products."""

from itertools import product

from ...technologies import normalise
from ..streams import Stream

# fmt: off
# In order of popularity; among them names that hold one another (R and Ruby, Go and Google Analytics, C and C++).
WELL_KNOWN = (
    "Google Analytics", "jQuery", "JavaScript", "Google Tag Manager", "Microsoft 365", "HTML", "WordPress",
    "SQL", "Cloudflare", "Java", "Salesforce", "Python", "Apache HTTP Server", "nginx", "Windows Server",
    "PHP", "Google Workspace", "Linux", "Amazon S3", "LinkedIn Insight Tag", "C++", "Node.js", "R", ".NET",
    "C#", "C", "Ruby", "Go", "React", "Bootstrap", "MySQL", "Microsoft SQL Server",
    "SQL Server Reporting Services", "PostgreSQL", "Oracle Database", "Oracle", "SAP", "SAP ERP", "SAS",
    "Sass", "ASP.NET", "Vue.js", "Next.js", "Angular", "AngularJS", "TypeScript", "Java EE", "Kotlin",
    "Swift", "Scala", "Rust", "Perl", "Objective-C", "Visual Basic .NET", "F#", "MATLAB", "Ruby on Rails",
    "React Native", "Django", "Flask", "Spring", "Spring Boot", "Laravel", "Amazon Web Services",
    "Amazon EC2", "Amazon CloudFront", "AWS Lambda", "Microsoft Azure", "Azure DevOps", "Google Cloud",
    "Google Ads", "Google Fonts", "Google Maps", "DoubleClick", "Facebook Pixel", "Hotjar", "HubSpot",
    "HubSpot CRM", "Marketo", "Mailchimp", "Pardot", "Eloqua", "Salesforce Marketing Cloud",
    "Salesforce Service Cloud", "Microsoft Dynamics 365", "Zoho CRM", "Zendesk", "Intercom", "Drift",
    "Slack", "Zoom", "Microsoft Teams", "Jira", "Confluence", "Trello", "Asana", "GitHub", "GitLab", "Git",
    "Jenkins", "Docker", "Kubernetes", "Terraform", "Ansible", "VMware", "VMware vSphere", "Citrix", "Okta",
    "AT&T Business Internet", "Cisco Webex", "Palo Alto Networks", "Splunk", "Datadog", "New Relic",
    "Elasticsearch", "Redis", "MongoDB", "Apache Kafka", "Apache Spark", "Apache Hadoop", "Snowflake",
    "Databricks", "Tableau", "Power BI", "Looker", "Qlik Sense", "Shopify", "Magento", "WooCommerce",
    "Stripe", "PayPal", "Workday", "ServiceNow", "Adobe Analytics", "Adobe Experience Manager", "Drupal",
    "Joomla", "Wix", "Squarespace", "Segment", "Optimizely", "Twilio", "SendGrid", "Akamai", "Fastly",
    "Let's Encrypt", "reCAPTCHA", "Font Awesome",
)

_FIRST = (
    "Al", "Bel", "Cor", "Dyn", "El", "Fal", "Gri", "Hex", "In", "Jun", "Kal", "Lum", "Mer", "Nor", "Op",
    "Pri", "Quo", "Ren", "Sol", "Tri", "Ul", "Ver", "Wex", "Zan",
)
_SECOND = (
    "a", "be", "co", "da", "en", "fi", "go", "ix", "lo", "ma", "ne", "or", "pha", "ri", "sta", "ti", "u",
    "va",
)
_LAST = (
    "bit", "box", "dex", "flow", "ly", "mark", "nex", "ra", "ro", "soft", "tic", "via", "ware", "wise",
)
# Other alphabets, and letters that change their length or their code points with case or composition.
_INTERNATIONAL = (
    "Ångström", "Bjørk", "Čapek", "Éclair", "Größe", "Île de Données", "Łódź Systemy", "Müller", "Señal",
    "São Dados", "Straße", "Ἀθηνᾶ", "Яблоня", "東雲",
)
_PRODUCTS = (
    "Ads", "Analytics", "API", "Archive", "Backup", "Billing", "Booking", "Builder", "Campaigns", "CDN",
    "Chat", "Checkout", "Cloud", "CMS", "Commerce", "Connect", "CRM", "Data Lake", "Desk", "DNS", "Docs",
    "ERP", "Experiments", "Firewall", "Forms", "Gateway", "HR", "Identity", "Insights", "IoT", "Learning",
    "Logistics", "Mail", "Maps", "Monitor", "Pay", "Payroll", "Personalisation", "Portal", "Pro",
    "Procurement", "Reports", "Retail", "Search", "Security", "Server", "Sign", "Studio", "Surveys", "Sync",
    "Tags", "Tasks", "Tax", "Video", "Voice", "VPN",
)
# fmt: on


def technology_names(count: int, stream: Stream) -> tuple[str, ...]:
    """``count`` names, distinct after `normalise`, the well-known ones first.

    A vendor has several products, and some vendors' own names are technologies too, as in real catalogues.
    """
    vendors = ["".join(parts) for parts in product(_FIRST, _SECOND, _LAST)]
    chosen = stream.index(len(vendors), 800)
    vendors = [*_INTERNATIONAL, *(vendors[index] for index in chosen)]
    names = {normalise(name): name for name in WELL_KNOWN}
    while len(names) < count:
        vendor = vendors[int(stream.index(len(vendors)))]
        choice = int(stream.index(len(_PRODUCTS) + 3))
        name = f"{vendor} {_PRODUCTS[choice]}" if choice < len(_PRODUCTS) else vendor
        names.setdefault(normalise(name), name)
    return tuple(names.values())
