"""How the admin looks (unfold): names, colours, and who fills its pages (config/system/dashboard.py)."""

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Rapport",
    "SITE_HEADER": "Rapport",
    "SITE_SYMBOL": "forum",
    "SITE_URL": "/",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "config.system.dashboard.mark"},
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "config.system.dashboard.fill",
    "STYLES": ["config.system.dashboard.styles"],
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .015 180)",
            "100": "oklch(94% .035 180)",
            "200": "oklch(88% .06 180)",
            "300": "oklch(80% .085 180)",
            "400": "oklch(71% .1 180)",
            "500": "oklch(58% .095 180)",
            "600": "oklch(48.5% .085 180)",
            "700": "oklch(42% .072 180)",
            "800": "oklch(36% .06 180)",
            "900": "oklch(31% .05 180)",
            "950": "oklch(22% .035 180)",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "config.system.dashboard.sidebar",
    },
}
