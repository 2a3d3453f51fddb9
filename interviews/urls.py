"""Paths of interviews: its API, and the recipient's pages."""

from django.urls import URLPattern, URLResolver, include, path

from interviews.api.exports import GuideAnswers, GuideAnswersCsv
from interviews.api.guides import GuideDetail, GuideList
from interviews.api.interviews import InterviewDetail, InterviewList, InterviewPdf, InterviewProcess

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/guides", GuideList.as_view(), name="guides"),
    path("api/v1/guides/<uuid:guide_id>", GuideDetail.as_view(), name="guide"),
    path("api/v1/guides/<uuid:guide_id>/answers", GuideAnswers.as_view(), name="guide-answers"),
    path("api/v1/guides/<uuid:guide_id>/answers.csv", GuideAnswersCsv.as_view(), name="guide-answers-csv"),
    path("api/v1/interviews", InterviewList.as_view(), name="interviews"),
    path("api/v1/interviews/<uuid:interview_id>", InterviewDetail.as_view(), name="interview"),
    path("api/v1/interviews/<uuid:interview_id>/pdf", InterviewPdf.as_view(), name="interview-pdf"),
    path(
        "api/v1/interviews/<uuid:interview_id>/process", InterviewProcess.as_view(), name="interview-process"
    ),
    path("", include("interviews.marketing_urls")),
    path("", include("interviews.page_urls")),
]
