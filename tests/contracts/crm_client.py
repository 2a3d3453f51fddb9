"""The Python client of the documented CRM API, as its document prints it: it must work unchanged."""

import requests

class ChatbotClient:
    def __init__(self, base_url="http://localhost:8000"):
        self.base_url = base_url
        self.session_token = None
    
    def create_user(self, name, email, company=None):
        response = requests.post(
            f"{self.base_url}/crm/create_user",
            json={
                "name": name,
                "email": email,
                "company": company
            }
        )
        return response.json()
    
    def create_session(self, user_id):
        response = requests.post(
            f"{self.base_url}/sessions/create",
            json={"user_id": user_id}
        )
        data = response.json()
        self.session_token = data["data"]["session_token"]
        return data
    
    def send_message(self, message, user_id, conversation_id=None):
        response = requests.post(
            f"{self.base_url}/chat",
            json={
                "message": message,
                "user_id": user_id,
                "conversation_id": conversation_id,
                "session_token": self.session_token
            }
        )
        return response.json()
    
    def upload_document(self, file_path):
        with open(file_path, 'rb') as f:
            response = requests.post(
                f"{self.base_url}/upload_docs",
                files={'files': f}
            )
        return response.json()
