from tests.browser.fixtures import browser, page, site, visitor, visitors, web_process

__all__ = ["browser", "page", "site", "visitor", "visitors", "web_process"]
