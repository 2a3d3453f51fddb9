from django.urls import URLPattern, path

from campaigns.api.marketing import accounts, agents, contents, emails, servers, threads, uploads

# An email may hold a slash, and ends the path that it is in, or stands before one fixed word.
urlpatterns: list[URLPattern] = [
    path("accounts", accounts.AccountCreate.as_view(), name="accounts"),
    path("accounts/<str:user_id>", accounts.AccountDetail.as_view(), name="account"),
    path("agents/create", agents.AgentCreate.as_view(), name="agent-create"),
    path("agents/chat/create", agents.ChatAgentCreate.as_view(), name="chat-agent-create"),
    path("agents/<str:agent_id>/info", agents.AgentInfo.as_view(), name="agent-info"),
    path("smtp", servers.Smtp.as_view(), name="smtp"),
    path("smtp/<str:user_id>", servers.SmtpOfAccount.as_view(), name="smtp-of-account"),
    path("scheduler", servers.Scheduler.as_view(), name="scheduler"),
    path("scheduler/<str:user_id>", servers.SchedulerOfAccount.as_view(), name="scheduler-of-account"),
    path("emails", emails.EmailCreate.as_view(), name="email-create"),
    path("emails/upload-csv", uploads.EmailUpload.as_view(), name="email-upload"),
    path("emails/<str:user_id>", emails.EmailList.as_view(), name="email-list"),
    path("emails/<str:user_id>/<path:email>/status", emails.EmailStatus.as_view(), name="email-status"),
    path("emails/<str:user_id>/<path:email>", emails.EmailDetail.as_view(), name="email-detail"),
    path("email-content", contents.ContentCreate.as_view(), name="email-content-create"),
    path("email-content/<str:user_id>", contents.ContentList.as_view(), name="email-content-list"),
    path("email-content/<str:user_id>/<path:email>", contents.ContentDetail.as_view(), name="email-content"),
    path("email-thread/<str:user_id>/<path:email>", threads.EmailThread.as_view(), name="email-thread"),
    path("email-threads/<str:user_id>", threads.EmailThreads.as_view(), name="email-threads"),
]
